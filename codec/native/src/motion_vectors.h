// Motion vectors: their coding and their prediction from neighbours
// (RFC 6386, sections 10.3 and 17).
#pragma once

#include "bool_decoder.h"
#include "tables.h"
#include "trees.h"
#include "types.h"

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

// Tells writer.write(bit, probability) the bits of one component: `component`
// 0 is the row, 1 the column.
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

MvBounds mv_bounds(int mb_row, int mb_col, int mb_rows, int mb_cols);

// What the neighbours suggest for one macroblock; all three vectors clamped.
struct MvCandidates {
  MotionVector best;
  MotionVector nearest;
  MotionVector near;
  // For kInterModeTree: places in the standard's table, which outlive this.
  struct ModeProbabilities {
    const Probability* at[4];
    const Probability& operator[](int node) const { return *at[node]; }
  };
  ModeProbabilities mode_probabilities;
};

MvCandidates find_mv_candidates(const MacroblockInfo& above, const MacroblockInfo& left,
                                const MacroblockInfo& above_left, ReferenceFrame reference,
                                const SignBias& sign_bias, const MvBounds& bounds);

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
