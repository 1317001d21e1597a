#include "decide/split_search.h"

#include <cstdlib>
#include <utility>

namespace vp8 {
namespace {

// Whether a macroblock shows something drawn, such as text: most pixels are the same as the next
// one. What is found nowhere near is then often found somewhere else.
bool is_drawn(const MacroblockPixels& source) {
  constexpr int kSame = 1;  // grey levels
  int same = 0;
  for (int y = 0; y < 16; ++y) {
    const std::uint8_t* pixels = source.pixels[0] + y * source.stride[0];
    for (int x = 0; x < 15; ++x) same += std::abs(pixels[x] - pixels[x + 1]) <= kSame ? 1 : 0;
  }
  return same >= 16 * 15 / 2;
}

// A half consists of two quarters and begins with their vectors.
constexpr int kHalfMoves = 2;  // of a quarter pixel

}  // namespace

SplitSearch::Part SplitSearch::choose_part(const MotionSearch& search, const SearchBlock& block,
                                           const MotionSearch::Found& found, MotionVector left,
                                           MotionVector above) const {
  const Lagrangian& lagrangian = trial_.lagrangian();
  const std::pair<SplitMvMode, MotionVector> ways[] = {
      {LEFT4X4, left}, {ABOVE4X4, above}, {ZERO4X4, {}}, {NEW4X4, found.mv}};
  Part best{LEFT4X4, {}, 0, kNever};
  int best_difference = 0;
  for (const auto& [mode, mv] : ways) {
    const Rate own = ModeRates::split_mode(mode, left, above) +
                     (mode == NEW4X4 ? trial_.rates().mv().of(mv - search.predicted) : 0);
    // A name may cost too much by itself.
    if (lagrangian.absolute_cost(0, own) >= best.cost) continue;
    const bool again = best.cost != kNever && mv == best.mv;
    const int difference = mv == found.mv ? found.difference
                           : again        ? best_difference
                                          : search.difference(block, mv);
    const Cost cost = lagrangian.absolute_cost(difference, own);
    if (cost >= best.cost) continue;
    best = {mode, mv, own, cost};
    best_difference = difference;
  }
  return best;
}

SplitSearch::Split SplitSearch::search(const MacroblockInfo& whole, SplitPartitioning partitioning,
                                       Cost limit, bool drawn) {
  const Plane plane = trial_.frame().reconstruction().references[whole.reference]->plane(0);
  const MvCandidates& suggested = trial_.suggested(whole.reference);
  MotionSearch search = trial_.motion_search(plane, suggested.best);
  if (drawn && effort_.everywhere_px > 0) {
    everywhere_.centre = whole.mv();
    everywhere_.reach_px = effort_.everywhere_px;
    everywhere_.read = false;
    search.everywhere = &everywhere_;
  }
  Split split{.info = whole};
  MacroblockInfo& info = split.info;
  info.y_mode = SPLITMV;
  info.partitioning = partitioning;
  split.rate = trial_.rates().reference(info.reference) +
               ModeRates::inter_mode(suggested, SPLITMV) +
               ModeRates::split_partitioning(partitioning);
  Cost total = trial_.lagrangian().absolute_cost(0, split.rate);
  const auto [width, height] = kSplitPartSize[partitioning];
  for (int part = 0; part < kSplitPartCount[partitioning]; ++part) {
    const int first = first_subblock_of_part(partitioning, part);
    const SearchBlock block = trial_.search_block((first & 3) * 4, (first >> 2) * 4, width, height);
    const MotionVector left = left_mv(info, trial_.left(), first);
    const MotionVector above = above_mv(info, trial_.above(), first);
    MotionSearch::Found found{.mv = {}, .difference = 0, .cost = kNever, .by_whole_pixels = 0};
    if (partitioning == k16x8 || partitioning == k8x16) {
      const bool lies = partitioning == k16x8;
      found = search.refine(
          block, {quarters_[lies ? 2 * part : part], quarters_[lies ? 2 * part + 1 : part + 2]},
          kHalfMoves);
    }
    if (found.cost == kNever) {
      const MotionVector near =
          partitioning == k4x4 ? quarters_[(first >> 3) * 2 + ((first & 3) >> 1)] : whole.mv();
      found = search.search(block, {near, left, above, MotionVector{}},
                            partitioning == k4x4 ? effort_.smallest : effort_.split, kNever);
    }
    const Part chosen = choose_part(search, block, found, left, above);
    info.split_modes[static_cast<std::size_t>(part)] = chosen.mode;
    for (std::size_t i = 0; i < 16; ++i) {
      if (kSplitPartOfSubblock[partitioning][i] == part) info.mvs[i] = chosen.mv;
    }
    if (partitioning == kQuarters) quarters_[part] = chosen.mv;
    split.rate += chosen.rate;
    total += chosen.cost;
    if (total >= limit) return split;
  }
  split.cost = total;
  return split;
}

void SplitSearch::evaluate(const Split& split) {
  trial_.candidate().info = split.info;
  trial_.evaluate(split.rate);
}

void SplitSearch::evaluate(const MacroblockInfo& whole, Cost rough) {
  const Cost limit = rough / 8 * 9;
  Split best = search(whole, kQuarters, limit);
  // Halves can hardly be better: they have the same vectors, or less suitable ones.
  if (best.cost == kNever) return;
  if (effort_.every_partitioning) evaluate(best);
  for (const SplitPartitioning halves : {k16x8, k8x16}) {
    const Split split = search(whole, halves, effort_.every_partitioning ? limit : best.cost);
    if (split.cost == kNever) continue;
    if (effort_.every_partitioning) {
      evaluate(split);
    } else {
      best = split;
    }
  }
  if (!effort_.every_partitioning) evaluate(best);
  const bool drawn = is_drawn(trial_.source());
  if (!wants_smallest(drawn)) return;
  const Split smallest = search(whole, k4x4, limit, drawn);
  if (smallest.cost != kNever) evaluate(smallest);
}

bool SplitSearch::wants_smallest(bool drawn) const {
  const bool split = trial_.best().info.y_mode == SPLITMV;
  switch (effort_.smallest_splits) {
    case SmallestSplits::kNone:
      return false;
    case SmallestSplits::kDrawn:
      return split && drawn;
    case SmallestSplits::kIfSplit:
      return split;
    case SmallestSplits::kAll:
      return true;
  }
  return false;
}

}  // namespace vp8
