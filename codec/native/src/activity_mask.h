// Activity masking: errors show less where a picture is busy.
//
// SSIM divides a block's error by its variance, as the eye does. So bits are dear
// where luma deviates much from its mean within a macroblock, and cheap where it
// is smooth.
#pragma once

#include <cstdint>
#include <vector>

#include "raster.h"
#include "rate_distortion.h"

namespace vp8 {

class ActivityMask {
 public:
  explicit ActivityMask(const Raster& source);

  // What a bit is worth at one macroblock, from what it is worth on average: a
  // quarter as much to four times as much.
  Lagrangian apply(const Lagrangian& average, int row, int column) const;

 private:
  int columns_;
  std::vector<std::int32_t> activity_;  // four times the standard deviation, plus 4
  std::int64_t mean_;
};

}  // namespace vp8
