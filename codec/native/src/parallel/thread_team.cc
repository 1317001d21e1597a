#include "parallel/thread_team.h"

#include <system_error>

namespace vp8 {

ThreadTeam::ThreadTeam(int threads) {
  try {
    while (size() < threads) others_.emplace_back([this] { wait_for_work(); });
  } catch (const std::system_error&) {
    // A smaller team does the same work.
  }
}

ThreadTeam::~ThreadTeam() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : others_) thread.join();
}

void ThreadTeam::run(const std::function<void()>& work) {
  if (others_.empty()) {
    work();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    busy_ = static_cast<int>(others_.size());
    ++round_;
  }
  begin_.notify_all();
  work();
  std::unique_lock lock(mutex_);
  end_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadTeam::wait_for_work() {
  unsigned seen = 0;
  for (;;) {
    const std::function<void()>* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      begin_.wait(lock, [&] { return closing_ || round_ != seen; });
      if (closing_) return;
      seen = round_;
      work = work_;
    }
    (*work)();
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) end_.notify_one();
  }
}

}  // namespace vp8
