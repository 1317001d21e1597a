// The words of RFC 6386 as C++ types: modes, references, motion vectors.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace vp8 {

using Probability = std::uint8_t;  // of a zero, in 256ths, 1 to 255

constexpr int kMacroblockSize = 16;
constexpr int kMaxSegments = 4;
constexpr int kMaxPartitions = 8;
constexpr int kMaxQuantizerIndex = 127;
constexpr int kMaxLoopFilterLevel = 63;
constexpr int kMaxDimension = 16383;  // 14 bits in the key frame's start

// Macroblock modes: the intra modes of section 8.2, then the inter modes of 8.3.
enum MacroblockMode : std::uint8_t {
  DC_PRED,
  V_PRED,
  H_PRED,
  TM_PRED,
  B_PRED,
  NEARESTMV,
  NEARMV,
  ZEROMV,
  NEWMV,
  SPLITMV,
};

// Subblock intra modes, in the order of the probability tables (section 11.2).
enum SubblockMode : std::uint8_t {
  B_DC_PRED,
  B_TM_PRED,
  B_VE_PRED,
  B_HE_PRED,
  B_LD_PRED,
  B_RD_PRED,
  B_VR_PRED,
  B_VL_PRED,
  B_HD_PRED,
  B_HU_PRED,
  kSubblockModes,
};

// How a part of a SPLITMV macroblock finds its vector (section 10.3).
enum SplitMvMode : std::uint8_t { LEFT4X4, ABOVE4X4, ZERO4X4, NEW4X4 };

// How SPLITMV cuts a macroblock (section 10.3).
enum SplitPartitioning : std::uint8_t { k16x8, k8x16, kQuarters, k4x4 };

enum ReferenceFrame : std::uint8_t { kIntraFrame, kLastFrame, kGoldenFrame, kAltrefFrame };
constexpr int kReferenceFrames = 4;

// Block types of the coefficient probabilities (section 13.3).
enum BlockType : std::uint8_t { kYAfterY2, kY2, kChroma, kYWithDc, kBlockTypes };

// In quarter luma pixels.
struct MotionVector {
  std::int16_t row = 0;
  std::int16_t col = 0;

  // Both components at once.
  std::uint32_t bits() const { return std::bit_cast<std::uint32_t>(*this); }
  bool operator==(const MotionVector& other) const { return bits() == other.bits(); }
  bool is_zero() const { return bits() == 0; }
};

using CoefficientProbabilities =
    std::array<std::array<std::array<std::array<Probability, 11>, 3>, 8>, kBlockTypes>;

// One motion vector component's probabilities, as laid out in section 17.2.
struct MvProbabilityLayout {
  static constexpr int kIsShort = 0;
  static constexpr int kSign = 1;
  static constexpr int kShortTree = 2;  // 7 nodes
  static constexpr int kLongBits = 9;   // 10 bits
  static constexpr int kCount = 19;
};
using MvProbabilities = std::array<std::array<Probability, MvProbabilityLayout::kCount>, 2>;

// Everything the entropy coder remembers from one frame to the next.
struct EntropyTables {
  CoefficientProbabilities coefficients;
  MvProbabilities motion_vectors;  // row, column
  std::array<Probability, 4> y_mode;
  std::array<Probability, 3> uv_mode;

  bool operator==(const EntropyTables&) const = default;
};

// Adjustments by segment (section 9.3). Absolute values replace the frame's own,
// others are added to it.
struct Segmentation {
  bool absolute = false;
  std::array<std::int8_t, kMaxSegments> quantizer{};
  std::array<std::int8_t, kMaxSegments> loop_filter{};

  bool operator==(const Segmentation&) const = default;
};

// Adjustments of the loop-filter level, by reference frame and mode (section 9.6).
struct LoopFilterDeltas {
  std::array<std::int8_t, 4> reference{};  // intra, last, golden, altref
  std::array<std::int8_t, 4> mode{};       // B_PRED, ZEROMV, other inter, SPLITMV

  bool operator==(const LoopFilterDeltas&) const = default;
};

// Whether vectors into a reference point the other way in time, by reference.
using SignBias = std::array<bool, kReferenceFrames>;

// What coding a frame depends on besides pixels and the segment map.
struct CodingContext {
  EntropyTables entropy;
  Segmentation segmentation;
  LoopFilterDeltas loop_filter_deltas;
  SignBias sign_bias{};

  bool operator==(const CodingContext&) const = default;
};

// What the first partition says of one macroblock.
struct MacroblockInfo {
  MacroblockMode y_mode = DC_PRED;
  MacroblockMode uv_mode = DC_PRED;  // intra macroblocks only
  ReferenceFrame reference = kIntraFrame;
  SplitPartitioning partitioning = k16x8;  // SPLITMV only
  std::uint8_t segment = 0;
  bool skip = false;  // mb_skip_coeff: it has no tokens in the second partitions
  // Some block has tokens. Known once they are read; the loop filter depends on it.
  bool has_tokens = false;
  // B_PRED: each subblock's mode. Other intra modes: the modes that neighbours in a key
  // frame assume.
  std::array<SubblockMode, 16> subblock_modes{};
  // SPLITMV: how each part found its vector, by part.
  std::array<SplitMvMode, 16> split_modes{};
  // Inter: each subblock's vector (16 equal ones unless SPLITMV); intra: zeros.
  std::array<MotionVector, 16> mvs{};

  bool is_inter() const { return reference != kIntraFrame; }
  // B_PRED and SPLITMV code the DC of each luma block in place.
  bool has_y2() const { return y_mode != B_PRED && y_mode != SPLITMV; }
  // The vector that neighbours take as this macroblock's own.
  MotionVector mv() const { return mvs[15]; }
};

inline int clamp_int(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

inline std::uint8_t clamp_pixel(int value) {
  return static_cast<std::uint8_t>(clamp_int(value, 0, 255));
}

}  // namespace vp8
