// Inter modes, searched for from nothing.
#include <algorithm>
#include <limits>

#include "bitstream/macroblock_header.h"
#include "decide/mode_decision.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

constexpr Cost kNever = std::numeric_limits<Cost>::max();
// Candidates that are coded to the end, of all that are looked at.
constexpr std::size_t kFinalists = 3;
constexpr MotionSearch::Effort kWholeSearch{8, 2, kNever};
constexpr MotionSearch::Effort kSplitSearch{2, 2, kNever};
constexpr MotionSearch::Effort kSmallestSearch{2, 1, kNever};

}  // namespace

MotionSearch ModeDecision::motion_search(const Plane& plane, MotionVector predicted) const {
  const MacroblockGrid& grid = frame_.macroblocks();
  return {plane,       rates_.mv(),
          lagrangian_, mv_bounds(row_.row(), column_, grid.rows(), grid.columns()),
          predicted,   frame_.reconstruction().filter.bilinear};
}

SearchBlock ModeDecision::search_block(int x, int y, int width, int height) const {
  return {source_.pixels[0] + y * source_.stride[0] + x,
          source_.stride[0],
          column_ * 16 + x,
          row_.row() * 16 + y,
          width,
          height};
}

MacroblockInfo ModeDecision::whole_info(const RoughCandidate& candidate) const {
  MacroblockInfo info;
  info.segment = static_cast<std::uint8_t>(segment_);
  info.reference = candidate.reference;
  info.y_mode = candidate.mode;
  info.mvs.fill(candidate.mv);
  return info;
}

void ModeDecision::search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels,
                                std::vector<RoughCandidate>& rough) {
  const Plane plane = frame_.reconstruction().references[reference]->plane(0);
  const MacroblockGrid& grid = frame_.macroblocks();
  const MvCandidates& suggested = look_around(reference);
  const MotionSearch search = motion_search(plane, suggested.best);
  const SearchBlock block = search_block(0, 0, 16, 16);
  MotionSearch::Effort effort = kWholeSearch;
  // Fractions do not help a reference that is a quarter worse than another.
  if (best_by_whole_pixels != kNever) effort.worth = best_by_whole_pixels / 4 * 5;
  const MotionSearch::Found found =
      search.search(block,
                    {MotionVector{}, suggested.nearest, suggested.near,
                     grid.at(row_.row(), column_ - 1).mv(), grid.at(row_.row() - 1, column_).mv()},
                    effort);
  best_by_whole_pixels = std::min(best_by_whole_pixels, found.by_whole_pixels);
  const std::size_t before = rough.size();
  const auto add = [&](MacroblockMode mode, MotionVector mv, Rate own) {
    const Rate rate = rates_.reference(reference) + own;
    // Of two modes with the same vector only the cheaper one matters.
    for (std::size_t i = before; i < rough.size(); ++i) {
      if (!(rough[i].mv == mv)) continue;
      if (rate < rough[i].rate) {
        rough[i].cost +=
            lagrangian_.absolute_cost(0, rate) - lagrangian_.absolute_cost(0, rough[i].rate);
        rough[i].mode = mode;
        rough[i].rate = rate;
      }
      return;
    }
    const int difference = mv == found.mv ? found.difference : search.difference(block, mv);
    const Cost cost = lagrangian_.absolute_cost(difference, rate);
    rough.push_back({reference, mode, mv, rate, cost});
  };
  add(ZEROMV, {}, ModeRates::inter_mode(suggested, ZEROMV));
  add(NEARESTMV, suggested.nearest, ModeRates::inter_mode(suggested, NEARESTMV));
  add(NEARMV, suggested.near, ModeRates::inter_mode(suggested, NEARMV));
  add(NEWMV, found.mv,
      ModeRates::inter_mode(suggested, NEWMV) + rates_.mv().of(found.mv - suggested.best));
}

void ModeDecision::try_inter() {
  std::vector<RoughCandidate> rough;
  rough.reserve(12);
  Cost best_by_whole_pixels = kNever;
  const auto& references = frame_.reconstruction().references;
  for (const ReferenceFrame reference : {kLastFrame, kGoldenFrame, kAltrefFrame}) {
    const bool seen =
        (reference >= kGoldenFrame && references[reference] == references[kLastFrame]) ||
        (reference == kAltrefFrame && references[reference] == references[kGoldenFrame]);
    if (!seen) search_whole(reference, best_by_whole_pixels, rough);
  }
  std::stable_sort(rough.begin(), rough.end(),
                   [](const auto& a, const auto& b) { return a.cost < b.cost; });
  if (rough.size() > kFinalists) rough.resize(kFinalists);
  // Half as dear again as the best: hardly any wins.
  while (rough.back().cost > rough.front().cost * 3 / 2) rough.pop_back();
  for (const RoughCandidate& candidate : rough) {
    scratch_->info = whole_info(candidate);
    evaluate(candidate.rate);
  }
  if (best_has_tokens()) try_split(best_->info);
}

// Fills in the vectors of a partitioning and what they cost to name; returns their
// cost by Hadamard differences.
Cost ModeDecision::search_split(SplitPartitioning partitioning, const MvCandidates& suggested,
                                MacroblockInfo& info, Rate& rate) const {
  const Plane plane = frame_.reconstruction().references[info.reference]->plane(0);
  const MotionSearch search = motion_search(plane, suggested.best);
  const MacroblockGrid& grid = frame_.macroblocks();
  const MacroblockInfo& above = grid.at(row_.row() - 1, column_);
  const MacroblockInfo& left = grid.at(row_.row(), column_ - 1);
  const int width = partitioning == k16x8 ? 16 : partitioning == k4x4 ? 4 : 8;
  const int height = partitioning == k8x16 ? 16 : partitioning == k4x4 ? 4 : 8;
  const MotionVector whole = info.mv();
  info.y_mode = SPLITMV;
  info.partitioning = partitioning;
  rate = rates_.reference(info.reference) + ModeRates::inter_mode(suggested, SPLITMV) +
         ModeRates::split_partitioning(partitioning);
  Cost total = lagrangian_.absolute_cost(0, rate);
  for (int part = 0; part < kSplitPartCount[partitioning]; ++part) {
    const int first = first_subblock_of_part(partitioning, part);
    const SearchBlock block = search_block((first & 3) * 4, (first >> 2) * 4, width, height);
    const MotionVector from_left = left_mv(info, left, first);
    const MotionVector from_above = above_mv(info, above, first);
    const MotionSearch::Found found =
        search.search(block, {whole, from_left, from_above, MotionVector{}},
                      partitioning == k4x4 ? kSmallestSearch : kSplitSearch);
    const std::pair<SplitMvMode, MotionVector> ways[] = {
        {LEFT4X4, from_left}, {ABOVE4X4, from_above}, {ZERO4X4, {}}, {NEW4X4, found.mv}};
    Cost best = kNever;
    Rate best_rate = 0;
    MotionVector best_mv;
    int best_difference = 0;
    for (const auto& [mode, mv] : ways) {
      const Rate own = ModeRates::split_mode(mode, from_left, from_above) +
                       (mode == NEW4X4 ? rates_.mv().of(mv - suggested.best) : 0);
      // A name may cost too much by itself.
      if (lagrangian_.absolute_cost(0, own) >= best) continue;
      const bool again = best != kNever && mv == best_mv;
      const int difference = mv == found.mv ? found.difference
                             : again        ? best_difference
                                            : search.difference(block, mv);
      const Cost cost = lagrangian_.absolute_cost(difference, own);
      if (cost >= best) continue;
      best_mv = mv;
      best_difference = difference;
      best = cost;
      best_rate = own;
      info.split_modes[static_cast<std::size_t>(part)] = mode;
      for (std::size_t i = 0; i < 16; ++i) {
        if (kSplitPartOfSubblock[partitioning][i] == part) info.mvs[i] = mv;
      }
    }
    total += best;
    rate += best_rate;
  }
  return total;
}

void ModeDecision::try_split(const MacroblockInfo& whole) {
  const MacroblockInfo start = whole;
  const MvCandidates& suggested = suggested_[start.reference];
  Cost best = kNever;
  MacroblockInfo chosen;
  Rate chosen_rate = 0;
  const auto look_at = [&](SplitPartitioning partitioning) {
    MacroblockInfo info = start;
    Rate rate = 0;
    const Cost cost = search_split(partitioning, suggested, info, rate);
    if (cost < best) {
      best = cost;
      chosen = info;
      chosen_rate = rate;
    }
  };
  const auto evaluate_chosen = [&] {
    scratch_->info = chosen;
    evaluate(chosen_rate);
  };
  look_at(kQuarters);
  look_at(k16x8);
  look_at(k8x16);
  evaluate_chosen();
  if (best_->info.y_mode != SPLITMV) return;
  best = kNever;
  look_at(k4x4);
  evaluate_chosen();
}

}  // namespace vp8
