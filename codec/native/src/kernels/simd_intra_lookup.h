// All subblock predictions of one edge, each by picking lanes out of vectors.
#pragma once

#include "kernels/simd_intra.h"

namespace vp8 {
namespace {

// Where each pixel comes from, in raster order: the edge's own pixels, averages of two
// or of three (SubblockAverages). 255 stands for none.
struct LaneChoice {
  alignas(16) std::uint8_t edge[16];
  alignas(16) std::uint8_t two[16];
  alignas(16) std::uint8_t three[16];
};

constexpr LaneChoice lane_choice(SubblockMode mode) {
  LaneChoice choice = {};
  for (int i = 0; i < 16; ++i) {
    const int x = i & 3;
    const int y = i >> 2;
    int edge = 255;
    int two = 255;
    int three = 255;
    if (mode == B_VE_PRED) {
      three = 5 + x;
    } else if (mode == B_HE_PRED) {
      three = 3 - y;
    } else if (mode == B_LD_PRED) {
      three = 6 + x + y;
    } else if (mode == B_RD_PRED) {
      three = 4 + x - y;
    } else if (mode == B_VR_PRED) {
      const int along = 2 * x - y;
      if (along < 0) {
        three = 5 + along;
      } else {
        (along & 1 ? three : two) = (along & 1 ? 5 : 4) + (along >> 1);
      }
    } else if (mode == B_VL_PRED) {
      if (x == 3 && y >= 2) {
        three = 8 + y;  // the last column of the lower rows leaves the pattern
      } else {
        (y & 1 ? three : two) = 5 + x + (y >> 1) + (y & 1);
      }
    } else if (mode == B_HD_PRED) {
      const int along = 2 * (3 - y) + x;
      if (along > 7) {
        three = along - 3;
      } else {
        (along & 1 ? three : two) = (along >> 1) + (along & 1);
      }
    } else if (mode == B_HU_PRED) {
      const int along = x + 2 * y;
      if (along > 5) {
        edge = 0;
      } else {
        (along & 1 ? three : two) = 2 - (along >> 1);
      }
    }
    choice.edge[i] = static_cast<std::uint8_t>(edge);
    choice.two[i] = static_cast<std::uint8_t>(two);
    choice.three[i] = static_cast<std::uint8_t>(three);
  }
  return choice;
}

template <SubblockMode Mode>
inline u8x16 choose_lanes(const SubblockAverages& averages) {
  static constexpr LaneChoice kChoice = lane_choice(Mode);
  u8x16 lanes = lookup(averages.three, load_u8(kChoice.three));
  if constexpr (Mode >= B_VR_PRED) {
    lanes = bit_or(lanes, lookup(averages.two, load_u8(kChoice.two)));
  }
  if constexpr (Mode == B_HU_PRED) {
    lanes = bit_or(lanes, lookup(averages.edge, load_u8(kChoice.edge)));
  }
  return lanes;
}

alignas(16) constexpr std::uint8_t kAboveLanes[16] = {5, 6, 7, 8, 5, 6, 7, 8,
                                                      5, 6, 7, 8, 5, 6, 7, 8};
alignas(16) constexpr std::uint8_t kLeftLanes[16] = {3, 3, 3, 3, 2, 2, 2, 2,
                                                     1, 1, 1, 1, 0, 0, 0, 0};

inline void predict_all_subblocks_lookup(const std::uint8_t* edge,
                                         std::uint8_t (*predictions)[16]) {
  const SubblockAverages averages(edge);
  const u8x16 above = lookup(averages.edge, load_u8(kAboveLanes));
  const u8x16 left = lookup(averages.edge, load_u8(kLeftLanes));
  const u8x16 corner = splat_u8(edge[4]);
  store_u8(predictions[B_TM_PRED],
           sub_sat_u8(add_sat_u8(above, sub_sat_u8(left, corner)), sub_sat_u8(corner, left)));
  predict_from<B_DC_PRED>(averages, predictions[B_DC_PRED], 4);
  store_u8(predictions[B_VE_PRED], choose_lanes<B_VE_PRED>(averages));
  store_u8(predictions[B_HE_PRED], choose_lanes<B_HE_PRED>(averages));
  store_u8(predictions[B_LD_PRED], choose_lanes<B_LD_PRED>(averages));
  store_u8(predictions[B_RD_PRED], choose_lanes<B_RD_PRED>(averages));
  store_u8(predictions[B_VR_PRED], choose_lanes<B_VR_PRED>(averages));
  store_u8(predictions[B_VL_PRED], choose_lanes<B_VL_PRED>(averages));
  store_u8(predictions[B_HD_PRED], choose_lanes<B_HD_PRED>(averages));
  store_u8(predictions[B_HU_PRED], choose_lanes<B_HU_PRED>(averages));
}

}  // namespace
}  // namespace vp8
