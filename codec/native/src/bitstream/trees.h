// Tree-coded values (RFC 6386, section 8.1) and the trees of the standard.
//
// A tree is a list of pairs; a positive entry is the index of the next pair, any other
// entry is minus a leaf. Node i >> 1 has probability p[i >> 1].
#pragma once

#include <cstdint>

#include "common/types.h"

namespace vp8 {

using TreeEntry = std::int8_t;

// A tree of `Size` / 2 nodes, with the path from its root to each leaf.
template <int Size>
struct Tree {
  static constexpr int kLeaves = Size / 2 + 1;
  struct Path {
    std::uint8_t length = 0;
    std::uint8_t nodes[Size / 2] = {};
    bool bits[Size / 2] = {};
  };

  consteval Tree(const TreeEntry (&list)[Size]) {  // NOLINT: a list is a tree
    for (int i = 0; i < Size; ++i) entries[i] = list[i];
    follow(0, {});
  }

  TreeEntry entries[Size] = {};
  Path paths[kLeaves];  // by leaf

 private:
  consteval void follow(int pair, const Path& so_far) {
    for (int bit = 0; bit < 2; ++bit) {
      Path path = so_far;
      path.nodes[path.length] = static_cast<std::uint8_t>(pair >> 1);
      path.bits[path.length] = bit != 0;
      ++path.length;
      const int next = entries[pair + bit];
      if (next > 0) {
        follow(next, path);
      } else {
        paths[-next] = path;
      }
    }
  }
};

constexpr Tree<8> kYModeTree({-DC_PRED, 2, 4, 6, -V_PRED, -H_PRED, -TM_PRED, -B_PRED});
constexpr Tree<8> kKeyFrameYModeTree({-B_PRED, 2, 4, 6, -DC_PRED, -V_PRED, -H_PRED, -TM_PRED});
constexpr Tree<6> kUvModeTree({-DC_PRED, 2, -V_PRED, 4, -H_PRED, -TM_PRED});
constexpr Tree<18> kSubblockModeTree({-B_DC_PRED, 2, -B_TM_PRED, 4, -B_VE_PRED, 6, 8, 12,
                                      -B_HE_PRED, 10, -B_RD_PRED, -B_VR_PRED, -B_LD_PRED, 14,
                                      -B_VL_PRED, 16, -B_HD_PRED, -B_HU_PRED});
constexpr Tree<6> kSegmentTree({2, 4, 0, -1, -2, -3});
constexpr Tree<6> kSplitPartitioningTree({-k4x4, 2, -kQuarters, 4, -k16x8, -k8x16});
constexpr Tree<6> kSplitMvModeTree({-LEFT4X4, 2, -ABOVE4X4, 4, -ZERO4X4, -NEW4X4});
constexpr Tree<14> kShortMvTree({2, 8, 4, 6, 0, -1, -2, -3, 10, 12, -4, -5, -6, -7});
// Its leaves are the inter modes, counted from NEARESTMV.
constexpr Tree<8> kInterModeTree({NEARESTMV - ZEROMV, 2, 0, 4, NEARESTMV - NEARMV, 6,
                                  NEARESTMV - NEWMV, NEARESTMV - SPLITMV});

// `probabilities[node]` is the node's. Every node has code of its own: a walk through the
// list would wait for each entry.
template <const auto& kTree, int Pair = 0, typename Reader, typename Probabilities>
[[gnu::always_inline]] inline int read_tree(Reader& reader, const Probabilities& probabilities) {
  constexpr int kIfClear = kTree.entries[Pair];
  constexpr int kIfSet = kTree.entries[Pair + 1];
  if (reader.read(probabilities[Pair >> 1])) {
    if constexpr (kIfSet > 0) return read_tree<kTree, kIfSet>(reader, probabilities);
    return -kIfSet;
  }
  if constexpr (kIfClear > 0) return read_tree<kTree, kIfClear>(reader, probabilities);
  return -kIfClear;
}

template <typename Writer, int Size, typename Probabilities>
[[gnu::always_inline]] inline void write_tree(Writer& writer, const Tree<Size>& tree,
                                              const Probabilities& probabilities, int leaf) {
  const auto& path = tree.paths[leaf];
  for (int i = 0; i < path.length; ++i) writer.write(path.bits[i], probabilities[path.nodes[i]]);
}

}  // namespace vp8
