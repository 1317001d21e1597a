// Macroblock rows that several threads work on at the same time, each a little
// behind the row above.
//
// A macroblock needs its neighbours to the left, above and above right. So a thread can
// work on a row before the row above is finished, as long as that is two macroblocks ahead.
// The result does not depend on the number of threads.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "parallel/thread_team.h"

namespace vp8 {

class Wavefront {
 public:
  Wavefront(int rows, int columns)
      : rows_(rows),
        columns_(columns),
        done_(std::make_unique<Progress[]>(static_cast<std::size_t>(rows))) {}

  // Returns the next row from the top, for the thread that asks; -1 after the last.
  int claim() {
    const int row = next_.fetch_add(1, std::memory_order_relaxed);
    return row < rows_ ? row : -1;
  }

  // Waits until the row above is done up to the column right of this one. `seen` is how far
  // the caller knows it is done, 0 at the beginning of a row.
  void await_above(int row, int column, int& seen) {
    const int needed = column + 2 < columns_ ? column + 2 : columns_;
    if (row > 0 && seen < needed) seen = await(done_[row - 1].count, needed);
  }

  // Reports that the row is done up to and including this column. Only every fourth column
  // is announced: four macroblocks are one cache line wide, and that line would otherwise
  // go back and forth between the row that writes and the row that reads.
  void publish(int row, int column) {
    if ((column & 3) == 3 || column + 1 == columns_) {
      tell(done_[row].count, column + 1);
    }
  }

  // Rows take turns, in order, at work that cannot be shared, such as reading one
  // partition.
  void await_turn(int row) { await(turn_.count, row); }
  void end_turn(int row) { tell(turn_.count, row + 1); }

  // Runs work(row) for every row on the threads of a team. One of them runs `meanwhile`
  // first; no row waits for that. Rethrows the error of `meanwhile`, or else of the topmost
  // row that failed.
  template <typename Work>
  void run(ThreadTeam& team, Work&& work, const std::function<void()>& meanwhile = {}) {
    std::atomic<bool> begun{!meanwhile};
    team.run([&] {
      int row = -1;
      try {
        if (!begun.exchange(true)) meanwhile();
        while ((row = claim()) >= 0) work(row);
      } catch (const Abandoned&) {
        abandon();  // the row it waited for has the error
      } catch (...) {
        fail(row);
        abandon();
      }
    });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Thrown in a row that waits for one that has failed.
  struct Abandoned {};
  struct alignas(64) Progress {
    std::atomic<int> count{0};
  };

  // Rows are usually close behind each other, so it pays to poll for some microseconds. But
  // if a thread has lost its processor, the threads behind it must not keep it from getting
  // another.
  int await(const std::atomic<int>& value, int needed) {
    constexpr int kLooks = 500;
    for (int i = 0;; ++i) {
      const int now = value.load(std::memory_order_acquire);
      if (now >= needed && !failed_.load(std::memory_order_acquire)) return now;
      if (failed_.load(std::memory_order_acquire)) throw Abandoned{};
      if (i < kLooks) {
        pause();
      } else {
        value.wait(now, std::memory_order_acquire);
      }
    }
  }

  // Sequentially consistent, though release would be enough for the data: notify_all first
  // checks whether a thread waits, and libstdc++ lets that check overtake a weaker store.
  // The waiter would then sleep for ever.
  static void tell(std::atomic<int>& value, int now) {
    value.store(now, std::memory_order_seq_cst);
    value.notify_all();
  }

  // Wakes all threads, which then find that a row has failed. Every thread that leaves
  // early calls this, since others may be waiting for it.
  void abandon() {
    const auto wake = [](std::atomic<int>& value) {
      value.fetch_add(1 << 20, std::memory_order_acq_rel);
      value.notify_all();
    };
    for (int row = 0; row < rows_; ++row) wake(done_[row].count);
    wake(turn_.count);
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
  }

  void fail(int row) {
    const std::lock_guard lock(mutex_);
    if (!error_ || row < failed_row_) {
      error_ = std::current_exception();
      failed_row_ = row;
    }
    failed_.store(true, std::memory_order_release);
  }

  const int rows_;
  const int columns_;
  std::unique_ptr<Progress[]> done_;
  std::atomic<int> next_{0};
  Progress turn_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  int failed_row_ = 0;
};

}  // namespace vp8
