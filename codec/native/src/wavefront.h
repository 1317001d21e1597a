// Macroblock rows that several threads work on at the same time, each a little
// behind the row above.
//
// A macroblock needs its neighbours to the left, above and above right. So a row
// can be worked on while the row above is not finished, as long as that is two
// macroblocks ahead. What comes out does not depend on the number of threads.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "thread_team.h"

namespace vp8 {

class Wavefront {
 public:
  Wavefront(int rows, int columns)
      : rows_(rows),
        columns_(columns),
        done_(std::make_unique<Progress[]>(static_cast<std::size_t>(rows))) {}

  int rows() const { return rows_; }
  int columns() const { return columns_; }

  // Gives out rows from the top, to whichever thread asks; -1 after the last.
  int claim() {
    const int row = next_.fetch_add(1, std::memory_order_relaxed);
    return row < rows_ ? row : -1;
  }

  // Waits until the row above is done up to the column right of this one. `seen`
  // is what the caller knows of it, 0 at the beginning of a row.
  void await_above(int row, int column, int& seen) {
    const int needed = column + 2 < columns_ ? column + 2 : columns_;
    if (row > 0 && seen < needed) seen = await(done_[row - 1].count, needed);
  }

  // Tells that the row is done up to and including this column. Only every fourth
  // is heard of: four macroblocks are one cache line wide, which would otherwise
  // go to and fro between the row that writes and the row that reads.
  void publish(int row, int column) {
    if ((column & 3) == 3 || column + 1 == columns_) {
      done_[row].count.store(column + 1, std::memory_order_release);
    }
  }

  // Rows take turns, in order, in what cannot be done side by side: reading one
  // partition, say.
  void await_turn(int row) { await(turn_, row); }
  void end_turn(int row) { turn_.store(row + 1, std::memory_order_release); }

  // Runs work(row) for every row on the threads of a team, and on one of them
  // `meanwhile`, which no row waits for. Rethrows what that or the topmost row that
  // failed threw.
  template <typename Work>
  void run(ThreadTeam& team, Work&& work, const std::function<void()>& meanwhile = {}) {
    std::atomic<bool> begun{!meanwhile};
    team.run([&] {
      int row = -1;
      try {
        if (!begun.exchange(true)) meanwhile();
        while ((row = claim()) >= 0) work(row);
      } catch (const Abandoned&) {
        // The row it waited for says why.
      } catch (...) {
        fail(row);
      }
    });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Thrown where a row waits for one that has failed.
  struct Abandoned {};
  struct alignas(64) Progress {
    std::atomic<int> count{0};
  };

  int await(const std::atomic<int>& value, int needed) {
    constexpr int kSpins = 200;
    for (int i = 0;; ++i) {
      const int now = value.load(std::memory_order_acquire);
      if (now >= needed) return now;
      if (failed_.load(std::memory_order_relaxed)) throw Abandoned{};
      if (i >= kSpins) std::this_thread::yield();
    }
  }

  void fail(int row) {
    const std::lock_guard lock(mutex_);
    if (!error_ || row < failed_row_) {
      error_ = std::current_exception();
      failed_row_ = row;
    }
    failed_.store(true, std::memory_order_relaxed);
  }

  const int rows_;
  const int columns_;
  std::unique_ptr<Progress[]> done_;
  std::atomic<int> next_{0};
  std::atomic<int> turn_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  int failed_row_ = 0;
};

}  // namespace vp8
