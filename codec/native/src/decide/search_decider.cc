#include "decide/search_decider.h"

#include <algorithm>

#include "decide/intra_trial.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

// What a new vector costs the neighbours, which are predicted from it: a bit.
constexpr Rate kNewVector = 256;
// A macroblock that costs no more than so much as it is gains nothing by more vectors: 64 bits.
constexpr Rate kWorthSplitting = 64 * 256;

}  // namespace

void SearchDecider::decide(int column) {
  const FrameWriter& frame = trial_.frame();
  trial_.begin(column, frame.segment_at(trial_.row(), column));
  if (frame.header().start.key_frame) {
    try_intra(trial_, effort_.key_intra);
  } else if (!try_inter()) {
    try_intra(trial_, effort_.inter_intra, rough_.front().cost);
  }
  trial_.commit(target_holds_best(trial_));
}

template <typename Difference>
void SearchDecider::add_rough(ReferenceFrame reference, MacroblockMode mode, MotionVector mv,
                              Rate own, Difference&& difference) {
  const Lagrangian& lagrangian = trial_.lagrangian();
  const Rate rate = trial_.rates().reference(reference) + own;
  // Of two modes with the same vector only the cheaper one matters.
  for (RoughCandidate& other : rough_) {
    if (other.reference != reference || !(other.mv == mv)) continue;
    if (rate < other.rate) {
      other = {reference,
               mode,
               mv,
               rate,
               other.difference,
               lagrangian.absolute_cost(other.difference, rate)};
    }
    return;
  }
  const int differing = difference();
  rough_.push_back(
      {reference, mode, mv, rate, differing, lagrangian.absolute_cost(differing, rate)});
}

void SearchDecider::add_suggested(ReferenceFrame reference) {
  const Plane plane = trial_.frame().reconstruction().references[reference]->plane(0);
  const MvCandidates& suggested = trial_.suggest(reference);
  const MotionSearch search = trial_.motion_search(plane, suggested.best);
  const SearchBlock block = trial_.search_block(0, 0, 16, 16);
  const std::pair<MacroblockMode, MotionVector> ways[] = {
      {ZEROMV, {}}, {NEARESTMV, suggested.nearest}, {NEARMV, suggested.near}};
  for (const auto& [mode, mv] : ways) {
    add_rough(reference, mode, mv, ModeRates::inter_mode(suggested, mode),
              [&, at = mv] { return search.difference(block, at); });
  }
}

bool SearchDecider::settle() {
  if (effort_.settled_steps == 0) return false;
  const RoughCandidate& best = *std::min_element(
      rough_.begin(), rough_.end(), [](const auto& a, const auto& b) { return a.cost < b.cost; });
  const auto alike = [&](const MacroblockInfo& other) {
    return other.reference == best.reference && other.y_mode != SPLITMV && other.mv() == best.mv;
  };
  const bool calm = alike(trial_.left()) && alike(trial_.above()) && alike(trial_.above_right());
  const int steps = calm ? effort_.settled_steps_alike : effort_.settled_steps;
  if (best.difference > steps * trial_.quantizers().y.steps[1]) return false;
  evaluate_whole(best);
  return !trial_.best_has_tokens() && !own_mean_predicts();
}

bool SearchDecider::own_mean_predicts() const {
  const Kernels& k = kernels();
  const MacroblockPixels& source = trial_.source();
  const MacroblockPixels& target = trial_.target();
  std::uint32_t sum;
  std::uint32_t squares;
  k.sum_and_squares(source.pixels[0], source.stride[0], &sum, &squares);
  const std::int64_t by_mean = squares - (static_cast<std::int64_t>(sum) * sum >> 8);
  const std::int64_t as_it_is =
      k.sse[2](source.pixels[0], source.stride[0], target.pixels[0], target.stride[0]);
  return 4 * as_it_is > 5 * by_mean;
}

void SearchDecider::search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels) {
  const Plane plane = trial_.frame().reconstruction().references[reference]->plane(0);
  const MvCandidates& suggested = trial_.suggested(reference);
  const MotionSearch search = trial_.motion_search(plane, suggested.best);
  const Cost fractions_below = best_by_whole_pixels == kNever
                                   ? kNever
                                   : best_by_whole_pixels / 4 * effort_.fraction_quarters;
  const MotionSearch::Found found = search.search(
      trial_.search_block(0, 0, 16, 16),
      {MotionVector{}, suggested.nearest, suggested.near, trial_.left().mv(), trial_.above().mv(),
       trial_.above_right().mv(), whole_best_.mv,
       far_ != nullptr ? far_->at(reference, trial_.row(), trial_.column()) : MotionVector{}},
      effort_.whole, fractions_below);
  best_by_whole_pixels = std::min(best_by_whole_pixels, found.by_whole_pixels);
  if (found.cost < whole_best_.cost) whole_best_ = found;
  add_rough(reference, NEWMV, found.mv,
            kNewVector + ModeRates::inter_mode(suggested, NEWMV) +
                trial_.rates().mv().of(found.mv - suggested.best),
            [&] { return found.difference; });
}

void SearchDecider::evaluate_whole(const RoughCandidate& rough) {
  MacroblockInfo& info = trial_.new_candidate().info;
  info.reference = rough.reference;
  info.y_mode = rough.mode;
  info.mvs.fill(rough.mv);
  trial_.evaluate(rough.rate);
}

bool SearchDecider::try_inter() {
  const auto& references = trial_.frame().reconstruction().references;
  const auto for_each_reference = [&](auto&& visit) {
    for (const ReferenceFrame reference : {kLastFrame, kGoldenFrame, kAltrefFrame}) {
      const bool seen =
          (reference >= kGoldenFrame && references[reference] == references[kLastFrame]) ||
          (reference == kAltrefFrame && references[reference] == references[kGoldenFrame]);
      if (!seen) visit(reference);
    }
  };
  rough_.clear();
  for_each_reference([&](ReferenceFrame reference) { add_suggested(reference); });
  if (settle()) return true;
  Cost best_by_whole_pixels = kNever;
  whole_best_ = {.mv = {}, .difference = 0, .cost = kNever, .by_whole_pixels = kNever};
  for_each_reference(
      [&](ReferenceFrame reference) { search_whole(reference, best_by_whole_pixels); });
  std::stable_sort(rough_.begin(), rough_.end(),
                   [](const auto& a, const auto& b) { return a.cost < b.cost; });
  const auto finalists = static_cast<std::size_t>(effort_.finalists);
  if (rough_.size() > finalists) rough_.resize(finalists);
  while (rough_.back().cost > rough_.front().cost * effort_.finalist_halves / 2) rough_.pop_back();
  for (const RoughCandidate& candidate : rough_) evaluate_whole(candidate);
  if (effort_.splits && trial_.best_has_tokens() &&
      trial_.best().cost > trial_.lagrangian().cost(0, kWorthSplitting)) {
    try_splits();
  }
  return false;
}

void SearchDecider::try_splits() {
  MacroblockInfo whole = trial_.best().info;
  splits_.evaluate(whole, rough_.front().cost);
  if (!effort_.second_reference_splits) return;
  const auto other = std::find_if(rough_.begin(), rough_.end(), [&](const auto& candidate) {
    return candidate.reference != whole.reference;
  });
  if (other == rough_.end()) return;
  whole.reference = other->reference;
  whole.y_mode = other->mode;
  whole.mvs.fill(other->mv);
  splits_.evaluate(whole, rough_.front().cost);
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
