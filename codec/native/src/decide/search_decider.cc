#include "decide/search_decider.h"

#include <algorithm>
#include <cstdlib>

#include "decide/intra_trial.h"

namespace vp8 {
namespace {

// Whether a macroblock shows something drawn, such as text: most pixels are the same as the next
// one. What is found nowhere near is then often found somewhere else.
bool is_drawn(const MacroblockPixels& source) {
  constexpr int kSame = 2;  // grey levels
  int same = 0;
  for (int y = 0; y < 16; ++y) {
    const std::uint8_t* pixels = source.pixels[0] + y * source.stride[0];
    for (int x = 0; x < 15; ++x) same += std::abs(pixels[x] - pixels[x + 1]) <= kSame ? 1 : 0;
  }
  return same >= 16 * 15 / 2;
}

}  // namespace

void SearchDecider::decide(int column) {
  const FrameWriter& frame = trial_.frame();
  trial_.begin(column, frame.segment_at(trial_.row(), column));
  const bool key_frame = frame.header().start.key_frame;
  if (!key_frame) try_inter();
  try_intra(trial_, key_frame ? effort_.key_intra : effort_.inter_intra);
  trial_.commit(target_holds_best(trial_));
}

MotionSearch SearchDecider::motion_search(const Plane& plane, MotionVector predicted) const {
  const MacroblockGrid& grid = trial_.frame().macroblocks();
  return {.reference = plane,
          .rates = trial_.rates().mv(),
          .lagrangian = trial_.lagrangian(),
          .bounds = mv_bounds(trial_.row(), trial_.column(), grid.rows(), grid.columns()),
          .predicted = predicted,
          .bilinear = trial_.frame().reconstruction().filter.bilinear};
}

SearchBlock SearchDecider::search_block(int x, int y, int width, int height) const {
  const MacroblockPixels& source = trial_.source();
  return {source.pixels[0] + y * source.stride[0] + x,
          source.stride[0],
          trial_.column() * 16 + x,
          trial_.row() * 16 + y,
          width,
          height};
}

void SearchDecider::search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels,
                                 std::vector<RoughCandidate>& rough) {
  const Plane plane = trial_.frame().reconstruction().references[reference]->plane(0);
  const MvCandidates& suggested = trial_.suggest(reference);
  const MotionSearch search = motion_search(plane, suggested.best);
  const SearchBlock block = search_block(0, 0, 16, 16);
  const Cost fractions_below = best_by_whole_pixels == kNever
                                   ? kNever
                                   : best_by_whole_pixels / 4 * effort_.fraction_quarters;
  const MotionSearch::Found found = search.search(
      block,
      {MotionVector{}, suggested.nearest, suggested.near, trial_.left().mv(), trial_.above().mv(),
       trial_.above_right().mv(), whole_best_.mv,
       far_ != nullptr ? far_->at(reference, trial_.row(), trial_.column()) : MotionVector{}},
      effort_.whole, fractions_below);
  best_by_whole_pixels = std::min(best_by_whole_pixels, found.by_whole_pixels);
  if (found.cost < whole_best_.cost) whole_best_ = found;
  const Lagrangian& lagrangian = trial_.lagrangian();
  const Rate reference_rate = trial_.rates().reference(reference);
  const std::size_t before = rough.size();
  const auto add = [&](MacroblockMode mode, MotionVector mv, Rate own) {
    const Rate rate = reference_rate + own;
    // Of two modes with the same vector only the cheaper one matters.
    for (std::size_t i = before; i < rough.size(); ++i) {
      if (!(rough[i].mv == mv)) continue;
      if (rate < rough[i].rate) {
        rough[i].cost +=
            lagrangian.absolute_cost(0, rate) - lagrangian.absolute_cost(0, rough[i].rate);
        rough[i].mode = mode;
        rough[i].rate = rate;
      }
      return;
    }
    const int difference = mv == found.mv ? found.difference : search.difference(block, mv);
    const Cost cost = lagrangian.absolute_cost(difference, rate);
    rough.push_back({reference, mode, mv, rate, cost});
  };
  add(ZEROMV, {}, ModeRates::inter_mode(suggested, ZEROMV));
  add(NEARESTMV, suggested.nearest, ModeRates::inter_mode(suggested, NEARESTMV));
  add(NEARMV, suggested.near, ModeRates::inter_mode(suggested, NEARMV));
  add(NEWMV, found.mv,
      ModeRates::inter_mode(suggested, NEWMV) + trial_.rates().mv().of(found.mv - suggested.best));
}

void SearchDecider::evaluate_whole(const RoughCandidate& rough) {
  MacroblockInfo& info = trial_.new_candidate().info;
  info.reference = rough.reference;
  info.y_mode = rough.mode;
  info.mvs.fill(rough.mv);
  trial_.evaluate(rough.rate);
}

void SearchDecider::try_inter() {
  std::vector<RoughCandidate> rough;
  rough.reserve(12);
  Cost best_by_whole_pixels = kNever;
  whole_best_ = {.mv = {}, .difference = 0, .cost = kNever, .by_whole_pixels = kNever};
  const auto& references = trial_.frame().reconstruction().references;
  for (const ReferenceFrame reference : {kLastFrame, kGoldenFrame, kAltrefFrame}) {
    const bool seen =
        (reference >= kGoldenFrame && references[reference] == references[kLastFrame]) ||
        (reference == kAltrefFrame && references[reference] == references[kGoldenFrame]);
    if (!seen) search_whole(reference, best_by_whole_pixels, rough);
  }
  std::stable_sort(rough.begin(), rough.end(),
                   [](const auto& a, const auto& b) { return a.cost < b.cost; });
  const auto finalists = static_cast<std::size_t>(effort_.finalists);
  if (rough.size() > finalists) rough.resize(finalists);
  while (rough.back().cost > rough.front().cost * effort_.finalist_halves / 2) rough.pop_back();
  for (const RoughCandidate& candidate : rough) evaluate_whole(candidate);
  if (effort_.splits && trial_.best_has_tokens()) try_splits(rough);
}

SearchDecider::SplitPart SearchDecider::choose_part(const MotionSearch& search,
                                                    const SearchBlock& block, MotionVector whole,
                                                    MotionVector left, MotionVector above,
                                                    const VectorEffort& effort) const {
  const Lagrangian& lagrangian = trial_.lagrangian();
  const MotionSearch::Found found =
      search.search(block, {whole, left, above, MotionVector{}}, effort, kNever);
  const std::pair<SplitMvMode, MotionVector> ways[] = {
      {LEFT4X4, left}, {ABOVE4X4, above}, {ZERO4X4, {}}, {NEW4X4, found.mv}};
  SplitPart best{LEFT4X4, {}, 0, kNever};
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

Cost SearchDecider::search_split(SplitPartitioning partitioning, MacroblockInfo& info, Rate& rate) {
  const Plane plane = trial_.frame().reconstruction().references[info.reference]->plane(0);
  const MvCandidates& suggested = trial_.suggested(info.reference);
  MotionSearch search = motion_search(plane, suggested.best);
  const auto [width, height] = kSplitPartSize[partitioning];
  const VectorEffort& effort = partitioning == k4x4 ? effort_.smallest : effort_.split;
  const MotionVector whole = info.mv();
  if (partitioning == k4x4 && effort_.everywhere_px > 0 && is_drawn(trial_.source())) {
    everywhere_.centre = whole;
    everywhere_.reach_px = effort_.everywhere_px;
    everywhere_.read = false;
    search.everywhere = &everywhere_;
  }
  info.y_mode = SPLITMV;
  info.partitioning = partitioning;
  rate = trial_.rates().reference(info.reference) + ModeRates::inter_mode(suggested, SPLITMV) +
         ModeRates::split_partitioning(partitioning);
  Cost total = trial_.lagrangian().absolute_cost(0, rate);
  for (int part = 0; part < kSplitPartCount[partitioning]; ++part) {
    const int first = first_subblock_of_part(partitioning, part);
    const SplitPart chosen = choose_part(
        search, search_block((first & 3) * 4, (first >> 2) * 4, width, height), whole,
        left_mv(info, trial_.left(), first), above_mv(info, trial_.above(), first), effort);
    info.split_modes[static_cast<std::size_t>(part)] = chosen.mode;
    for (std::size_t i = 0; i < 16; ++i) {
      if (kSplitPartOfSubblock[partitioning][i] == part) info.mvs[i] = chosen.mv;
    }
    total += chosen.cost;
    rate += chosen.rate;
  }
  return total;
}

void SearchDecider::evaluate_best_split(const MacroblockInfo& whole,
                                        std::initializer_list<SplitPartitioning> partitionings) {
  Cost best = kNever;
  MacroblockInfo chosen;
  Rate chosen_rate = 0;
  for (const SplitPartitioning partitioning : partitionings) {
    MacroblockInfo info = whole;
    Rate rate = 0;
    const Cost cost = search_split(partitioning, info, rate);
    if (cost < best) {
      best = cost;
      chosen = info;
      chosen_rate = rate;
    }
  }
  trial_.candidate().info = chosen;
  trial_.evaluate(chosen_rate);
}

void SearchDecider::try_splits(const MacroblockInfo& whole) {
  if (effort_.every_partitioning) {
    for (const SplitPartitioning partitioning : {kQuarters, k16x8, k8x16}) {
      evaluate_best_split(whole, {partitioning});
    }
  } else {
    evaluate_best_split(whole, {kQuarters, k16x8, k8x16});
  }
  if (effort_.smallest_splits &&
      (effort_.smallest_splits_always || trial_.best().info.y_mode == SPLITMV)) {
    evaluate_best_split(whole, {k4x4});
  }
}

void SearchDecider::try_splits(const std::vector<RoughCandidate>& rough) {
  const MacroblockInfo whole = trial_.best().info;
  try_splits(whole);
  if (!effort_.second_reference_splits) return;
  const auto other = std::find_if(rough.begin(), rough.end(), [&](const auto& candidate) {
    return candidate.reference != whole.reference;
  });
  if (other == rough.end()) return;
  MacroblockInfo info = whole;
  info.reference = other->reference;
  info.y_mode = other->mode;
  info.mvs.fill(other->mv);
  try_splits(info);
}

void decide_rows(FrameWriter& frame, const SearchEffort& effort, const FarVectors* far,
                 const RowRange& rows, ThreadTeam& team) {
  const int columns = frame.macroblocks().columns();
  Wavefront wavefront(rows.count, columns);
  wavefront.run(team, [&](int index) {
    RowWriter row_writer(frame, rows.first + index * rows.every);
    SearchDecider decider(row_writer, effort, far);
    int seen = 0;
    for (int column = 0; column < columns; ++column) {
      wavefront.await_above(index, column, seen);
      decider.decide(column);
      wavefront.publish(index, column);
    }
  });
}

}  // namespace vp8
