#include "bitstream/motion_vectors.h"

namespace vp8 {

const Probability* split_mv_probabilities(MotionVector left, MotionVector above) {
  int context = 0;
  if (left == above) {
    context = above.is_zero() ? 4 : 3;
  } else if (above.is_zero()) {
    context = 2;
  } else if (left.is_zero()) {
    context = 1;
  }
  return kSplitMvModeProbabilities[context];
}

}  // namespace vp8
