#include "common/frame_buffer.h"

#include <sys/mman.h>

#include <atomic>
#include <new>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define EXCAMERA_MEMORY_SANITIZER
#endif
#endif

namespace vp8 {
namespace {

// MemorySanitizer takes mapped memory for written, and so what an earlier frame has left.
void mark_unwritten([[maybe_unused]] std::uint8_t* data, [[maybe_unused]] std::size_t size) {
#ifdef EXCAMERA_MEMORY_SANITIZER
  __msan_allocated_memory(data, size);
#endif
}

constexpr std::align_val_t kAlign{FrameBuffer::kAlignment};
// Larger buffers are mapped, and their pages go back to the operating system. After the
// first such buffer is freed, allocators keep that size in their heaps; holes between the
// pictures of a batch took a fifth of a worker's memory there.
constexpr std::size_t kMapped = std::size_t{1} << 20;

std::uint8_t* allocate(std::size_t size) {
  if (size < kMapped) return static_cast<std::uint8_t*>(::operator new(size, kAlign));
  void* const pages =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::uint8_t*>(pages);
}

void release(std::uint8_t* data, std::size_t size) {
  if (size < kMapped) {
    ::operator delete(data, kAlign);
  } else {
    munmap(data, size);
  }
}

// Enough to hold what one chunk frees until the next chunk takes it. More would keep memory
// from other uses.
constexpr int kMaxFree = 16;

// Free buffers, the last freed last. A thread that finds the pool in use goes to the
// allocator instead of waiting. A process that was forked at that moment does the same.
class Pool {
 public:
  struct Free {
    std::uint8_t* data;
    std::size_t size;
  };

  std::uint8_t* take(std::size_t size) {
    if (in_use_.test_and_set(std::memory_order_acquire)) return nullptr;
    std::uint8_t* taken = nullptr;
    for (int i = count_ - 1; i >= 0 && taken == nullptr; --i) {
      if (free_[i].size == size) taken = remove(i).data;
    }
    in_use_.clear(std::memory_order_release);
    return taken;
  }

  // Returns the buffer that the pool does not keep: this one, the one that was free
  // longest, or none.
  Free give(std::uint8_t* data, std::size_t size) {
    if (in_use_.test_and_set(std::memory_order_acquire)) return {data, size};
    const Free dropped = count_ == kMaxFree ? remove(0) : Free{nullptr, 0};
    free_[count_++] = {data, size};
    in_use_.clear(std::memory_order_release);
    return dropped;
  }

 private:
  Free remove(int index) {
    const Free removed = free_[index];
    --count_;
    for (int i = index; i < count_; ++i) free_[i] = free_[i + 1];
    return removed;
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
  if (data_ == nullptr) data_ = allocate(size);
  mark_unwritten(data_, size);
}

FrameBuffer::~FrameBuffer() {
  if (data_ == nullptr) return;
  const Pool::Free dropped = pool().give(data_, size_);
  if (dropped.data != nullptr) release(dropped.data, dropped.size);
}

}  // namespace vp8
