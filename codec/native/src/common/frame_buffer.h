// Memory for what a frame needs much of, handed on from one frame to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace vp8 {

// Owns `size` bytes, whatever they hold. Its end puts them into a small pool of the
// process, from which the next buffer of the same size is made: a frame's worth of
// fresh pages costs the operating system as much time as a cheap frame costs to
// decode.
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
