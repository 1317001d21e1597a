// Activity masking: errors are less visible in busy parts of a picture.
//
// SSIM divides a block's error by its variance, as the eye does. So a bit is worth more in
// a macroblock whose luma deviates much from its mean, and less in a smooth one.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel/thread_team.h"
#include "picture/raster.h"

namespace vp8 {

class ActivityMask {
 public:
  ActivityMask(const Raster& source, ThreadTeam& team);

  // What a bit is worth at one macroblock, in 65536ths of what it is worth on
  // average: a quarter as much to four times as much.
  std::int64_t factor(int row, int column) const {
    const std::int64_t here = activity_[static_cast<std::size_t>(row * columns_ + column)];
    return ((kReach * here + mean_) << 16) / (here + kReach * mean_);
  }

 private:
  static constexpr int kReach = 4;

  int columns_;
  std::vector<std::int32_t> activity_;  // four times the standard deviation, plus 4
  std::int64_t mean_ = 0;
};

}  // namespace vp8
