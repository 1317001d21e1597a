// Constant tables of RFC 6386, by section.
#pragma once

#include "common/types.h"

namespace vp8 {

// Section 13.4 and 13.5: coefficient probabilities.
extern const CoefficientProbabilities kCoefficientUpdateProbabilities;
// Section 17.2: motion vector probabilities.
extern const MvProbabilities kMvUpdateProbabilities;
// What a key frame resets the entropy coder to.
extern const EntropyTables kDefaultEntropyTables;

// Section 11.2 and 16.1: intra modes.
extern const Probability kKeyFrameYModeProbabilities[4];
extern const Probability kKeyFrameUvModeProbabilities[3];
extern const Probability kKeyFrameSubblockModeProbabilities[kSubblockModes][kSubblockModes][9];
extern const Probability kSubblockModeProbabilities[9];

// Section 16.3: inter modes.
extern const Probability kModeContexts[6][4];
extern const Probability kSplitPartitioningProbabilities[3];
extern const Probability kSplitMvModeProbabilities[5][3];
extern const int kSplitPartCount[4];
// Which part each of the 16 subblocks belongs to, by partitioning.
extern const std::uint8_t kSplitPartOfSubblock[4][16];
// In pixels. Parts follow each other from left to right, then down.
struct SplitPartSize {
  int width, height;
};
constexpr SplitPartSize kSplitPartSize[4] = {{16, 8}, {8, 16}, {8, 8}, {4, 4}};

// Section 14.1: dequantization.
extern const std::uint16_t kDcQuantizerLookup[kMaxQuantizerIndex + 1];
extern const std::uint16_t kAcQuantizerLookup[kMaxQuantizerIndex + 1];

// Section 18.3: subpixel interpolation, by eighths of a pixel.
extern const std::int16_t kSixtapFilters[8][6];
extern const std::int16_t kBilinearFilters[8][2];

// Section 13: tokens.
extern const std::uint8_t kZigzag[16];
extern const std::uint8_t kCoefficientBands[16];
constexpr int kDctCategories = 6;
extern const int kDctCategoryBase[kDctCategories];
extern const int kDctCategoryBits[kDctCategories];
extern const Probability kDctCategoryProbabilities[kDctCategories][11];

// Cost of coding a zero whose probability is p/256, in 256ths of a bit.
extern const std::uint16_t kBitCost[257];

}  // namespace vp8
