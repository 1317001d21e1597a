#include "motion_vectors.h"

#include <utility>

namespace vp8 {
MvBounds mv_bounds(int mb_row, int mb_col, int mb_rows, int mb_cols) {
  constexpr int kStep = kMacroblockSize * 4;
  return {-(mb_row + 1) * kStep, (mb_rows - mb_row) * kStep, -(mb_col + 1) * kStep,
          (mb_cols - mb_col) * kStep};
}

MvCandidates find_mv_candidates(const MacroblockInfo& above, const MacroblockInfo& left,
                                const MacroblockInfo& above_left, ReferenceFrame reference,
                                const SignBias& sign_bias, const MvBounds& bounds) {
  // Up to three distinct vectors, most votes first; slot 0 is the zero vector.
  MotionVector vectors[4];
  int votes[4] = {};
  int last = 0;
  const auto ask = [&](const MacroblockInfo& neighbour, int weight) {
    if (!neighbour.is_inter()) return;
    MotionVector mv = neighbour.mv();
    if (mv.is_zero()) {
      votes[0] += weight;
      return;
    }
    if (sign_bias[neighbour.reference] != sign_bias[reference]) {
      mv = {static_cast<std::int16_t>(-mv.row), static_cast<std::int16_t>(-mv.col)};
    }
    // Only the most recent distinct vector is compared with.
    if (last == 0 || !(mv == vectors[last])) vectors[++last] = mv;
    votes[last] += weight;
  };
  ask(above, 2);
  ask(left, 2);
  ask(above_left, 1);

  if (votes[3] != 0 && vectors[3] == vectors[1]) ++votes[1];
  const int split_votes = (above.y_mode == SPLITMV ? 2 : 0) + (left.y_mode == SPLITMV ? 2 : 0) +
                          (above_left.y_mode == SPLITMV ? 1 : 0);
  if (votes[2] > votes[1]) {
    std::swap(votes[1], votes[2]);
    std::swap(vectors[1], vectors[2]);
  }
  if (votes[1] >= votes[0]) vectors[0] = vectors[1];

  MvCandidates found;
  found.best = bounds.clamp(vectors[0]);
  found.nearest = bounds.clamp(vectors[1]);
  found.near = bounds.clamp(vectors[2]);
  for (int i = 0; i < 3; ++i) found.mode_probabilities.at[i] = &kModeContexts[votes[i]][i];
  found.mode_probabilities.at[3] = &kModeContexts[split_votes][3];
  return found;
}

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
