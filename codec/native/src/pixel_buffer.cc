#include "pixel_buffer.h"

#include <atomic>
#include <cstring>
#include <new>

namespace vp8 {
namespace {

constexpr std::align_val_t kAlign{PixelBuffer::kAlignment};
// A state holds three rasters and a frame in the making one; more than a few
// free ones are memory that somebody else could use.
constexpr int kMaxFree = 6;

// Free buffers of one size. Whoever finds it in use by another thread goes to the
// allocator instead of waiting: that also holds in a process forked meanwhile.
class Pool {
 public:
  std::uint8_t* take(std::size_t size) {
    std::uint8_t* taken = nullptr;
    if (in_use_.test_and_set(std::memory_order_acquire)) return nullptr;
    if (size == size_ && count_ > 0) taken = free_[--count_];
    in_use_.clear(std::memory_order_release);
    return taken;
  }

  // Returns whether the buffer was taken back.
  bool give(std::uint8_t* data, std::size_t size) {
    if (in_use_.test_and_set(std::memory_order_acquire)) return false;
    if (size != size_) {
      while (count_ > 0) ::operator delete(free_[--count_], kAlign);
      size_ = size;
    }
    const bool room = count_ < kMaxFree;
    if (room) free_[count_++] = data;
    in_use_.clear(std::memory_order_release);
    return room;
  }

 private:
  std::atomic_flag in_use_;
  std::uint8_t* free_[kMaxFree] = {};
  int count_ = 0;
  std::size_t size_ = 0;
};

// Never destroyed: rasters may outlive every static object.
Pool& pool() {
  static Pool& forever = *new Pool;
  return forever;
}

}  // namespace

PixelBuffer::PixelBuffer(std::size_t size) : data_(pool().take(size)), size_(size) {
  if (data_ == nullptr) data_ = static_cast<std::uint8_t*>(::operator new(size, kAlign));
}

PixelBuffer::~PixelBuffer() {
  if (data_ != nullptr && !pool().give(data_, size_)) ::operator delete(data_, kAlign);
}

}  // namespace vp8
