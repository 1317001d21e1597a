// Checks of the loop filters.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "kernels_compare.h"

namespace {

template <typename Kernel>
struct FilterEntry {
  const char* name;
  Kernel Kernels::* entry;
  bool rows;
  bool inner;
};
constexpr FilterEntry<Kernels::EdgeFilter> kLumaFilters[] = {
    {"macroblock_edge_columns", &Kernels::macroblock_edge_columns, false, false},
    {"macroblock_edge_rows", &Kernels::macroblock_edge_rows, true, false},
    {"inner_edges_columns", &Kernels::inner_edges_columns, false, true},
    {"inner_edges_rows", &Kernels::inner_edges_rows, true, true},
    {"simple_edge_columns", &Kernels::simple_edge_columns, false, false},
    {"simple_edge_rows", &Kernels::simple_edge_rows, true, false},
    {"simple_inner_edges_columns", &Kernels::simple_inner_edges_columns, false, true},
    {"simple_inner_edges_rows", &Kernels::simple_inner_edges_rows, true, true},
};
constexpr FilterEntry<Kernels::PlanesEdgeFilter> kPlanesFilters[] = {
    {"macroblock_edge_columns_yuv", &Kernels::macroblock_edge_columns_yuv, false, false},
    {"macroblock_edge_rows_yuv", &Kernels::macroblock_edge_rows_yuv, true, false},
    {"inner_edges_columns_yuv", &Kernels::inner_edges_columns_yuv, false, true},
    {"inner_edges_rows_yuv", &Kernels::inner_edges_rows_yuv, true, true},
};

// Each line of eight pixels across an edge has its own character, so that every outcome of the
// limits' comparisons occurs, equality included.
void draw_edges(Area& area, int size, bool rows, bool inner, const EdgeLimits& limits,
                Random& random) {
  for (int line = 0; line < size; ++line) {
    int value = random.below(256);
    const int kind = random.below(6);
    for (int i = inner ? 0 : -4; i < (inner ? size : 4); ++i) {
      const int step = kind == 0   ? random.below(256)
                       : kind == 1 ? limits.interior + random.between(-1, 1)
                       : kind == 2 ? limits.high_variance + random.between(-1, 1)
                       : kind == 3 ? random.below(2)
                       : kind == 4 ? random.below(limits.interior + 1)
                                   : 0;
      value += random.below(2) ? step : -step;
      if (kind >= 3 && (i & 3) == 0) value += random.between(-limits.edge / 2, limits.edge / 2);
      value = std::clamp(value, 0, 255);
      *(rows ? area.at(line, i) : area.at(i, line)) = static_cast<std::uint8_t>(value);
    }
  }
}

EdgeLimits random_limits(Random& random) {
  const int level = random.between(1, 63);
  const int interior = random.below(2) ? random.between(1, 63) : random.between(1, 8);
  const int edge =
      random.below(4) ? (level + 2 * random.below(2)) * 2 + interior : random.below(194);
  return {static_cast<std::uint8_t>(edge), static_cast<std::uint8_t>(interior),
          static_cast<std::uint8_t>(random.below(4))};
}

void check_loop_filters(const Kernels& tested, Random& random) {
  int changed = 0;
  int unchanged = 0;
  for (int round = 0; round < 1500; ++round) {
    const EdgeLimits limits = random_limits(random);
    const Fill fill = kFills[round % 4];
    const bool tight = random.below(2) != 0;
    const auto margins = [&](bool rows, bool inner) {
      if (!tight || inner) return tight ? Margins{} : kGuards;
      return rows ? Margins{0, 4, 0, 0} : Margins{4, 0, 0, 0};
    };
    // Pixels that may change: up to three on either side.
    const auto check_reach = [&](const char* what, const Area& after, const Area& before, int size,
                                 bool rows, bool inner) {
      const int from = inner ? 2 : -3;
      const int to = inner ? size - 2 : 3;
      CHECK_LEVEL(rows ? after.same_outside(before, 0, from, size, to)
                       : after.same_outside(before, from, 0, to, size));
      ++(after == before ? unchanged : changed);
    };
    for (const auto& filter : kLumaFilters) {
      const char* what = filter.name;
      Area before(random, 16, 16, margins(filter.rows, filter.inner), fill);
      if (fill != Fill::kNoise) {
        draw_edges(before, 16, filter.rows, filter.inner, limits, random);
      }
      Area expected = before;
      (kernels_at(SimdLevel::kReference).*filter.entry)(expected.block(), expected.stride(),
                                                        limits);
      check_reach(what, expected, before, 16, filter.rows, filter.inner);
      Area given = before;
      (tested.*filter.entry)(given.block(), given.stride(), limits);
      CHECK_LEVEL(given == expected);
    }
    for (const auto& filter : kPlanesFilters) {
      const char* what = filter.name;
      const Margins around = margins(filter.rows, filter.inner);
      struct Planes {
        Area luma, chroma;
        bool operator==(const Planes&) const = default;
      };
      // U and V one above the other, so that they share a stride.
      const int v_at = 8 + 4;
      Planes before{{random, 16, 16, around, fill}, {random, 8, v_at + 8, around, fill}};
      if (fill != Fill::kNoise) {
        // Sometimes only one of the planes has something to filter.
        if (random.below(3)) draw_edges(before.luma, 16, filter.rows, filter.inner, limits, random);
        if (random.below(3))
          draw_edges(before.chroma, 8, filter.rows, filter.inner, limits, random);
      }
      const auto run = [&](const Kernels& k, Planes& planes) {
        Area& chroma = planes.chroma;
        (k.*filter.entry)(planes.luma.block(), planes.luma.stride(),
                          {chroma.at(0, 0), chroma.at(0, v_at), chroma.stride()}, limits);
      };
      Planes expected = before;
      run(kernels_at(SimdLevel::kReference), expected);
      ++(expected == before ? unchanged : changed);
      Planes given = before;
      run(tested, given);
      CHECK_LEVEL(given == expected);
    }
  }
  const char* what = "loop filters: both outcomes met";
  CHECK_LEVEL(changed > 1000 && unchanged > 1000);
}

}  // namespace
