// A few threads that work on the same thing at the same time.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vp8 {

class ThreadTeam {
 public:
  // `threads` of at least 1, the caller among them. If the system has no more threads, the
  // team is smaller.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(others_.size()) + 1; }

  // Runs `work` on every thread and returns when all are done. `work` must not throw.
  void run(const std::function<void()>& work);

 private:
  void wait_for_work();

  std::vector<std::thread> others_;
  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void()>* work_ = nullptr;
  unsigned round_ = 0;
  int busy_ = 0;
  bool closing_ = false;
};

}  // namespace vp8
