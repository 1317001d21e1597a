// Memory for pixels, handed on from one raster to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace vp8 {

// Owns `size` bytes. Its end puts them into a small pool of the process, from
// which the next buffer of the same size is made: a frame's worth of fresh pages
// costs the operating system as much time as a cheap frame costs to decode.
class PixelBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  PixelBuffer() = default;
  explicit PixelBuffer(std::size_t size);
  PixelBuffer(PixelBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PixelBuffer& operator=(PixelBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PixelBuffer();

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vp8
