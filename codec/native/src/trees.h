// Tree-coded values (RFC 6386, section 8.1) and the trees of the standard.
//
// A tree is a list of pairs; a positive entry is the index of the next pair,
// anything else is minus a leaf. Node i >> 1 has probability p[i >> 1].
#pragma once

#include <cstdint>

#include "types.h"

namespace vp8 {

using TreeEntry = std::int8_t;

constexpr TreeEntry kYModeTree[] = {-DC_PRED, 2, 4, 6, -V_PRED, -H_PRED, -TM_PRED, -B_PRED};
constexpr TreeEntry kKeyFrameYModeTree[] = {-B_PRED, 2, 4, 6, -DC_PRED, -V_PRED, -H_PRED, -TM_PRED};
constexpr TreeEntry kUvModeTree[] = {-DC_PRED, 2, -V_PRED, 4, -H_PRED, -TM_PRED};
constexpr TreeEntry kSubblockModeTree[] = {-B_DC_PRED, 2,  -B_TM_PRED, 4,  -B_VE_PRED, 6,
                                           8,          12, -B_HE_PRED, 10, -B_RD_PRED, -B_VR_PRED,
                                           -B_LD_PRED, 14, -B_VL_PRED, 16, -B_HD_PRED, -B_HU_PRED};
constexpr TreeEntry kSegmentTree[] = {2, 4, 0, -1, -2, -3};
constexpr TreeEntry kInterModeTree[] = {-ZEROMV, 2, -NEARESTMV, 4, -NEARMV, 6, -NEWMV, -SPLITMV};
constexpr TreeEntry kSplitPartitioningTree[] = {-k4x4, 2, -kQuarters, 4, -k16x8, -k8x16};
constexpr TreeEntry kSplitMvModeTree[] = {-LEFT4X4, 2, -ABOVE4X4, 4, -ZERO4X4, -NEW4X4};
constexpr TreeEntry kShortMvTree[] = {2, 8, 4, 6, 0, -1, -2, -3, 10, 12, -4, -5, -6, -7};

template <typename Reader>
int read_tree(Reader& reader, const TreeEntry* tree, const Probability* probabilities) {
  int i = 0;
  do {
    i = tree[i + static_cast<int>(reader.read(probabilities[i >> 1]))];
  } while (i > 0);
  return -i;
}

// True where `leaf` is below pair `from`.
constexpr bool tree_holds(const TreeEntry* tree, int leaf, int from) {
  for (int bit = 0; bit < 2; ++bit) {
    const int next = tree[from + bit];
    if (next > 0 ? tree_holds(tree, leaf, next) : -next == leaf) return true;
  }
  return false;
}

// Calls step(node, bit) along the way from the root to `leaf`, which is in the tree.
template <typename Step>
void walk_tree(const TreeEntry* tree, int leaf, Step&& step) {
  int i = 0;
  do {
    const int first = tree[i];
    const bool bit = first > 0 ? !tree_holds(tree, leaf, first) : -first != leaf;
    step(i >> 1, bit);
    i = tree[i + static_cast<int>(bit)];
  } while (i > 0);
}

template <typename Writer>
void write_tree(Writer& writer, const TreeEntry* tree, const Probability* probabilities, int leaf) {
  walk_tree(tree, leaf, [&](int node, bool bit) { writer.write(bit, probabilities[node]); });
}

}  // namespace vp8
