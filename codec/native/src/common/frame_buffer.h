// Large blocks of memory, which pass from one frame to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace vp8 {

// Owns `size` uninitialised bytes. The destructor puts them into a small pool of the
// process, and the next buffer of the same size takes them from there: the operating system
// needs as much time for a frame's worth of fresh pages as a cheap frame takes to decode.
class FrameBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  FrameBuffer() = default;
  explicit FrameBuffer(std::size_t size);
  FrameBuffer(FrameBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  FrameBuffer& operator=(FrameBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~FrameBuffer();

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vp8
