// Motion vectors: their coding and their prediction from neighbours
// (RFC 6386, sections 10.3 and 17).
#pragma once

#include <utility>

#include "bitstream/bool_decoder.h"
#include "bitstream/trees.h"
#include "common/tables.h"
#include "common/types.h"

namespace vp8 {

constexpr int kMaxMvMagnitude = 1023;  // of one coded component, quarter pixels

// Inlined, so that the caller's decoder can stay in registers.
[[gnu::always_inline]] inline int read_mv_component(BoolDecoder& decoder,
                                                    const std::array<Probability, 19>& p) {
  using Layout = MvProbabilityLayout;
  int magnitude = 0;
  if (decoder.read(p[Layout::kIsShort])) {
    for (int i = 0; i < 3; ++i) magnitude += decoder.read(p[Layout::kLongBits + i]) << i;
    for (int i = 9; i > 3; --i) magnitude += decoder.read(p[Layout::kLongBits + i]) << i;
    if (magnitude <= 15 || decoder.read(p[Layout::kLongBits + 3])) magnitude += 8;
  } else {
    magnitude = read_tree<kShortMvTree>(decoder, &p[Layout::kShortTree]);
  }
  return magnitude != 0 && decoder.read(p[Layout::kSign]) ? -magnitude : magnitude;
}

[[gnu::always_inline]] inline MotionVector read_motion_vector(
    BoolDecoder& decoder, const MvProbabilities& probabilities) {
  const int row = read_mv_component(decoder, probabilities[0]);
  const int col = read_mv_component(decoder, probabilities[1]);
  return {static_cast<std::int16_t>(row), static_cast<std::int16_t>(col)};
}

// Passes the bits of one component to writer.write(bit, probability).
template <typename Writer>
void write_mv_component(Writer& writer, int value, const std::array<Probability, 19>& p) {
  using Layout = MvProbabilityLayout;
  const int magnitude = value < 0 ? -value : value;
  if (magnitude < 8) {
    writer.write(false, p[Layout::kIsShort]);
    write_tree(writer, kShortMvTree, &p[Layout::kShortTree], magnitude);
    if (magnitude == 0) return;
  } else {
    writer.write(true, p[Layout::kIsShort]);
    for (int i = 0; i < 3; ++i) writer.write((magnitude >> i) & 1, p[Layout::kLongBits + i]);
    for (int i = 9; i > 3; --i) writer.write((magnitude >> i) & 1, p[Layout::kLongBits + i]);
    // Bit 3 of a long magnitude is certain unless a higher bit is set.
    if (magnitude > 15) writer.write((magnitude >> 3) & 1, p[Layout::kLongBits + 3]);
  }
  writer.write(value < 0, p[Layout::kSign]);
}

template <typename Writer>
void write_motion_vector(Writer& writer, MotionVector difference, const MvProbabilities& p) {
  write_mv_component(writer, difference.row, p[0]);
  write_mv_component(writer, difference.col, p[1]);
}

// How far a vector may point from a macroblock, in quarter pixels.
struct MvBounds {
  int top, bottom, left, right;

  MotionVector clamp(MotionVector mv) const {
    return {static_cast<std::int16_t>(clamp_int(mv.row, top, bottom)),
            static_cast<std::int16_t>(clamp_int(mv.col, left, right))};
  }
};

inline MvBounds mv_bounds(int mb_row, int mb_col, int mb_rows, int mb_cols) {
  constexpr int kStep = kMacroblockSize * 4;
  return {-(mb_row + 1) * kStep, (mb_rows - mb_row) * kStep, -(mb_col + 1) * kStep,
          (mb_cols - mb_col) * kStep};
}

// What the neighbours suggest for one macroblock; all three vectors clamped.
struct MvCandidates {
  MotionVector best;
  MotionVector nearest;
  MotionVector near;
  // For kInterModeTree: pointers into the standard's table.
  struct ModeProbabilities {
    const Probability* at[4];
    const Probability& operator[](int node) const { return *at[node]; }
  };
  ModeProbabilities mode_probabilities;
};

// Inlined: a reader needs only a part of the result.
[[gnu::always_inline]] inline MvCandidates find_mv_candidates(
    const MacroblockInfo& above, const MacroblockInfo& left, const MacroblockInfo& above_left,
    ReferenceFrame reference, const SignBias& sign_bias, const MvBounds& bounds) {
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
    // It is compared only with the most recent distinct vector.
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

// The probabilities of a split part's mode, from the vectors left of and above
// its first subblock.
const Probability* split_mv_probabilities(MotionVector left, MotionVector above);

inline MotionVector left_mv(const MacroblockInfo& self, const MacroblockInfo& left, int subblock) {
  return (subblock & 3) ? self.mvs[subblock - 1] : left.mvs[subblock + 3];
}

inline MotionVector above_mv(const MacroblockInfo& self, const MacroblockInfo& above,
                             int subblock) {
  return subblock >= 4 ? self.mvs[subblock - 4] : above.mvs[subblock + 12];
}

}  // namespace vp8
