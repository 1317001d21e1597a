#include "frame_buffer.h"

#include <atomic>
#include <new>

namespace vp8 {
namespace {

constexpr std::align_val_t kAlign{FrameBuffer::kAlignment};
// A state holds three rasters and a frame in the making one, and its macroblocks;
// more than a few free ones are memory that somebody else could use.
constexpr int kMaxFree = 8;

// Free buffers, the last freed last. Whoever finds it in use by another thread goes
// to the allocator instead of waiting: that also holds in a process forked
// meanwhile.
class Pool {
 public:
  std::uint8_t* take(std::size_t size) {
    if (in_use_.test_and_set(std::memory_order_acquire)) return nullptr;
    std::uint8_t* taken = nullptr;
    for (int i = count_ - 1; i >= 0 && taken == nullptr; --i) {
      if (free_[i].size == size) taken = remove(i);
    }
    in_use_.clear(std::memory_order_release);
    return taken;
  }

  // Returns what nobody keeps: the buffer itself, or the one that was free longest,
  // or none.
  std::uint8_t* give(std::uint8_t* data, std::size_t size) {
    if (in_use_.test_and_set(std::memory_order_acquire)) return data;
    std::uint8_t* const dropped = count_ == kMaxFree ? remove(0) : nullptr;
    free_[count_++] = {data, size};
    in_use_.clear(std::memory_order_release);
    return dropped;
  }

 private:
  struct Free {
    std::uint8_t* data;
    std::size_t size;
  };

  std::uint8_t* remove(int index) {
    std::uint8_t* const data = free_[index].data;
    --count_;
    for (int i = index; i < count_; ++i) free_[i] = free_[i + 1];
    return data;
  }

  std::atomic_flag in_use_;
  Free free_[kMaxFree] = {};
  int count_ = 0;
};

// Never destroyed: rasters may outlive every static object.
Pool& pool() {
  static Pool& forever = *new Pool;
  return forever;
}

}  // namespace

FrameBuffer::FrameBuffer(std::size_t size) : data_(pool().take(size)), size_(size) {
  if (data_ == nullptr) data_ = static_cast<std::uint8_t*>(::operator new(size, kAlign));
}

FrameBuffer::~FrameBuffer() {
  if (data_ != nullptr) ::operator delete(pool().give(data_, size_), kAlign);
}

}  // namespace vp8
