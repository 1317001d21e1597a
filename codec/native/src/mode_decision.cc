#include "mode_decision.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "intra_prediction.h"
#include "kernels/kernels.h"
#include "macroblock.h"
#include "transform.h"

namespace vp8 {
namespace {

constexpr Cost kNever = std::numeric_limits<Cost>::max();
// Inter candidates that are coded to the end, of all that are looked at.
constexpr std::size_t kInterFinalists = 3;
constexpr std::size_t kInterFinalistsAgain = 2;
constexpr int kWholeSearchStepPx = 8;
constexpr int kSplitSearchStepPx = 2;

constexpr MacroblockMode kWholeIntraModes[] = {DC_PRED, V_PRED, H_PRED, TM_PRED};

}  // namespace

ModeDecision::ModeDecision(FrameWriter& writer)
    : writer_(writer),
      mv_rates_(writer.context().entropy.motion_vectors),
      key_frame_(writer.header().start.key_frame),
      lagrangian_(writer.lagrangian(0, 0)) {}

void ModeDecision::begin(int row, int column) {
  row_ = row;
  column_ = column;
  segment_ = writer_.segment_at(row, column);
  source_ = writer_.source_at(row, column);
  lagrangian_ = writer_.lagrangian(row, column);
  best_.cost = kNever;
}

void ModeDecision::decide(int row, int column) {
  begin(row, column);
  if (!key_frame_) try_inter();
  try_intra();
  writer_.commit(row, column, best_.info, best_.coefficients);
}

void ModeDecision::decide_again(int row, int column, const MacroblockInfo& old,
                                const MacroblockCoefficients& coefficients) {
  begin(row, column);
  old_coefficients_ = &coefficients;
  try_inter_again(old);
  // Where prediction from a reference leaves nothing to code, intra cannot win.
  if (!old.is_inter() || has_tokens(best_.info.has_y2(), best_.coefficients)) try_intra();
  writer_.commit(row, column, best_.info, best_.coefficients);
}

ResidueCoder ModeDecision::coder() const {
  return {writer_.token_rates(), lagrangian_,
          writer_.reconstruction().steps[static_cast<std::size_t>(segment_)], old_coefficients_};
}

// Leaves `info` in the grid, where neighbours' contexts are looked up.
Rate ModeDecision::header_rate(const MacroblockInfo& info) {
  writer_.macroblocks().at(row_, column_) = info;
  RateCounter counter;
  write_macroblock_header(counter, writer_.header(), writer_.context(), writer_.macroblocks(), row_,
                          column_);
  return counter.rate();
}

void ModeDecision::keep_if_best(Candidate& candidate, const ResidueCost& residue) {
  MacroblockInfo& info = candidate.info;
  info.skip = false;
  candidate.cost = residue.coded + lagrangian_.cost(0, header_rate(info));
  info.skip = true;
  const Cost skipped = residue.uncoded + lagrangian_.cost(0, header_rate(info));
  // Coding nothing is always a choice, except for B_PRED: its subblocks were
  // predicted from coded ones.
  if (info.y_mode != B_PRED && skipped <= candidate.cost) {
    candidate.coefficients.clear();
    candidate.cost = skipped;
  }
  if (candidate.cost < best_.cost) best_ = candidate;
}

void ModeDecision::evaluate(const MacroblockInfo& info) {
  Candidate candidate{info, {}, 0};
  predict_macroblock(writer_.reconstruction(), info, row_, column_, writer_.raster());
  const MacroblockPixels prediction = writer_.target_at(row_, column_);
  TokenContext above = writer_.above(column_);
  TokenContext left = writer_.left(column_);
  const ResidueCoder residue = coder();
  candidate.coefficients.clear();
  ResidueCost cost =
      residue.code_luma(info.has_y2(), source_, prediction, above, left, candidate.coefficients);
  cost += residue.code_chroma(source_, prediction, above, left, candidate.coefficients);
  keep_if_best(candidate, cost);
}

// ---- intra -----------------------------------------------------------------

void ModeDecision::choose_uv_mode(MacroblockInfo& info) {
  const MacroblockPixels target = writer_.target_at(row_, column_);
  Cost best = kNever;
  MacroblockMode chosen = DC_PRED;
  for (const MacroblockMode mode : kWholeIntraModes) {
    int difference = 0;
    for (int p = 1; p < kPlanes; ++p) {
      predict_intra(mode, 8, target.pixels[p], target.stride[p], row_ > 0, column_ > 0);
      difference += kernels().satd[1](source_.pixels[p], source_.stride[p], target.pixels[p],
                                      target.stride[p]);
    }
    info.uv_mode = mode;
    const Cost cost = lagrangian_.absolute_cost(difference, header_rate(info));
    if (cost < best) {
      best = cost;
      chosen = mode;
    }
  }
  info.uv_mode = chosen;
}

void ModeDecision::try_intra() {
  const MacroblockPixels target = writer_.target_at(row_, column_);
  MacroblockInfo info;
  info.segment = static_cast<std::uint8_t>(segment_);
  choose_uv_mode(info);

  MacroblockInfo chosen = info;
  Cost best = kNever;
  for (const MacroblockMode mode : kWholeIntraModes) {
    predict_intra(mode, 16, target.pixels[0], target.stride[0], row_ > 0, column_ > 0);
    info.y_mode = mode;
    info.subblock_modes.fill(implied_subblock_mode(mode));
    if (key_frame_) {
      evaluate(info);
      continue;
    }
    const int difference =
        kernels().satd[2](source_.pixels[0], source_.stride[0], target.pixels[0], target.stride[0]);
    const Cost cost = lagrangian_.absolute_cost(difference, header_rate(info));
    if (cost < best) {
      best = cost;
      chosen = info;
    }
  }
  if (!key_frame_) evaluate(chosen);
  try_subblock_intra(chosen);
}

SubblockMode ModeDecision::choose_subblock_mode(int subblock, const MacroblockInfo& info,
                                                const MacroblockPixels& target,
                                                const std::uint8_t* above_right) {
  const std::ptrdiff_t offset = (subblock & 3) * 4;
  const std::ptrdiff_t line = (subblock >> 2) * 4;
  std::uint8_t* pixels = target.pixels[0] + line * target.stride[0] + offset;
  const std::uint8_t* source = source_.pixels[0] + line * source_.stride[0] + offset;
  const Probability* probabilities = kSubblockModeProbabilities;
  if (key_frame_) {
    const MacroblockGrid& grid = writer_.macroblocks();
    const auto i = static_cast<std::size_t>(subblock);
    const SubblockMode a = subblock >= 4 ? info.subblock_modes[i - 4]
                                         : grid.at(row_ - 1, column_).subblock_modes[i + 12];
    const SubblockMode l = (subblock & 3) ? info.subblock_modes[i - 1]
                                          : grid.at(row_, column_ - 1).subblock_modes[i + 3];
    probabilities = kKeyFrameSubblockModeProbabilities[a][l];
  }
  Cost best = kNever;
  SubblockMode chosen = B_DC_PRED;
  for (int m = 0; m < kSubblockModes; ++m) {
    const auto mode = static_cast<SubblockMode>(m);
    predict_subblock(mode, pixels, target.stride[0], above_right);
    RateCounter counter;
    write_tree(counter, kSubblockModeTree, probabilities, mode);
    const int difference = kernels().satd[0](source, source_.stride[0], pixels, target.stride[0]);
    const Cost cost = lagrangian_.absolute_cost(difference, counter.rate());
    if (cost < best) {
      best = cost;
      chosen = mode;
    }
  }
  return chosen;
}

void ModeDecision::try_subblock_intra(const MacroblockInfo& like) {
  Candidate candidate{like, {}, 0};
  MacroblockInfo& info = candidate.info;
  info.y_mode = B_PRED;
  candidate.coefficients.clear();
  const MacroblockPixels target = writer_.target_at(row_, column_);
  const std::ptrdiff_t stride = target.stride[0];
  const AboveRight above_right{target.pixels[0] - stride, stride};
  const ResidueCoder residue = coder();
  TokenContext above = writer_.above(column_);
  TokenContext left = writer_.left(column_);
  ResidueCost cost;
  for (int i = 0; i < 16; ++i) {
    const SubblockMode mode = choose_subblock_mode(i, info, target, above_right.of(i));
    info.subblock_modes[static_cast<std::size_t>(i)] = mode;
    const std::ptrdiff_t line = (i >> 2) * 4;
    const std::ptrdiff_t offset = (i & 3) * 4;
    std::uint8_t* pixels = target.pixels[0] + line * stride + offset;
    predict_subblock(mode, pixels, stride, above_right.of(i));
    cost += residue.code_subblock(i, source_.pixels[0] + line * source_.stride[0] + offset,
                                  source_.stride[0], pixels, stride, above, left,
                                  candidate.coefficients);
    if (cost.coded >= best_.cost) return;
    add_block(candidate.coefficients.values[i], candidate.coefficients.ends[i], residue.steps.y,
              pixels, stride);
  }
  for (int p = 1; p < kPlanes; ++p) {
    predict_intra(info.uv_mode, 8, target.pixels[p], target.stride[p], row_ > 0, column_ > 0);
  }
  cost += residue.code_chroma(source_, target, above, left, candidate.coefficients);
  keep_if_best(candidate, cost);
}

// ---- inter -----------------------------------------------------------------

MotionSearch ModeDecision::motion_search(const Plane& plane, MotionVector predicted) const {
  const MacroblockGrid& grid = writer_.macroblocks();
  return {plane,       mv_rates_,
          lagrangian_, mv_bounds(row_, column_, grid.rows(), grid.columns()),
          predicted,   writer_.reconstruction().filter.bilinear};
}

// Weighs the vectors that cost little to name, and one that was found.
void ModeDecision::collect_whole(ReferenceFrame reference, const MotionSearch& search,
                                 const MvCandidates& near_by, const MotionVector* found,
                                 std::vector<RoughCandidate>& rough) {
  const SearchBlock block = whole_block();
  const std::size_t before = rough.size();
  const auto add = [&](MacroblockMode mode, MotionVector mv) {
    MacroblockInfo info;
    info.segment = static_cast<std::uint8_t>(segment_);
    info.reference = reference;
    info.y_mode = mode;
    info.mvs.fill(mv);
    const Rate rate = header_rate(info);
    const Cost cost = lagrangian_.absolute_cost(search.difference(block, mv), rate);
    // Of two modes with the same vector only the cheaper one matters.
    const auto same = std::find_if(rough.begin() + static_cast<std::ptrdiff_t>(before), rough.end(),
                                   [&](const auto& other) { return other.info.mv() == mv; });
    if (same == rough.end()) {
      rough.push_back({info, cost});
    } else if (cost < same->cost) {
      *same = {info, cost};
    }
  };
  add(ZEROMV, {});
  add(NEARESTMV, near_by.nearest);
  add(NEARMV, near_by.near);
  if (found != nullptr) add(NEWMV, *found);
}

SearchBlock ModeDecision::whole_block() const {
  return {source_.pixels[0], source_.stride[0], column_ * 16, row_ * 16, 16, 16};
}

void ModeDecision::search_whole(ReferenceFrame reference, std::vector<RoughCandidate>& rough) {
  const Plane plane = writer_.reconstruction().references[reference]->plane(0);
  const MacroblockGrid& grid = writer_.macroblocks();
  const MvCandidates near_by =
      mv_candidates_at(grid, row_, column_, reference, writer_.context().sign_bias);
  const MotionSearch search = motion_search(plane, near_by.best);
  const MotionVector found =
      search.search(whole_block(),
                    {MotionVector{}, near_by.nearest, near_by.near, grid.at(row_, column_ - 1).mv(),
                     grid.at(row_ - 1, column_).mv()},
                    kWholeSearchStepPx);
  collect_whole(reference, search, near_by, &found, rough);
}

void ModeDecision::evaluate_best(std::vector<RoughCandidate>& rough, std::size_t count) {
  std::stable_sort(rough.begin(), rough.end(),
                   [](const auto& a, const auto& b) { return a.cost < b.cost; });
  if (rough.size() > count) rough.resize(count);
  for (const RoughCandidate& candidate : rough) evaluate(candidate.info);
}

void ModeDecision::try_inter() {
  std::vector<RoughCandidate> rough;
  const auto& references = writer_.reconstruction().references;
  for (const ReferenceFrame reference : {kLastFrame, kGoldenFrame, kAltrefFrame}) {
    const bool seen =
        (reference >= kGoldenFrame && references[reference] == references[kLastFrame]) ||
        (reference == kAltrefFrame && references[reference] == references[kGoldenFrame]);
    if (!seen) search_whole(reference, rough);
  }
  evaluate_best(rough, kInterFinalists);
  if (has_tokens(true, best_.coefficients)) try_split(best_.info);
}

void ModeDecision::try_inter_again(const MacroblockInfo& old) {
  const ReferenceFrame reference = old.is_inter() ? old.reference : kLastFrame;
  const Plane plane = writer_.reconstruction().references[reference]->plane(0);
  const MvCandidates near_by = mv_candidates_at(writer_.macroblocks(), row_, column_, reference,
                                                writer_.context().sign_bias);
  const MotionSearch search = motion_search(plane, near_by.best);
  std::vector<RoughCandidate> rough;
  std::optional<MotionVector> found;
  if (old.is_inter()) {
    // A vector that left nothing to code is good enough as it is.
    found = old.skip ? search.codable(old.mv()) : search.refine(whole_block(), old.mv());
  }
  collect_whole(reference, search, near_by, found ? &*found : nullptr, rough);
  evaluate_best(rough, kInterFinalistsAgain);
  if (old.y_mode == SPLITMV) try_split_again(old);
}

// Names the parts' vectors anew, from the neighbours as they are now.
void ModeDecision::try_split_again(MacroblockInfo info) {
  const MacroblockGrid& grid = writer_.macroblocks();
  const MacroblockInfo& above = grid.at(row_ - 1, column_);
  const MacroblockInfo& left = grid.at(row_, column_ - 1);
  const MvCandidates near_by =
      mv_candidates_at(grid, row_, column_, info.reference, writer_.context().sign_bias);
  info.segment = static_cast<std::uint8_t>(segment_);
  for (int part = 0; part < kSplitPartCount[info.partitioning]; ++part) {
    const int first = first_subblock_of_part(info.partitioning, part);
    const MotionVector mv = info.mvs[static_cast<std::size_t>(first)];
    SplitMvMode mode = NEW4X4;
    if (mv == left_mv(info, left, first)) {
      mode = LEFT4X4;
    } else if (mv == above_mv(info, above, first)) {
      mode = ABOVE4X4;
    } else if (mv.is_zero()) {
      mode = ZERO4X4;
    } else if (!MvRates::codable(mv.row - near_by.best.row, mv.col - near_by.best.col)) {
      return;
    }
    info.split_modes[static_cast<std::size_t>(part)] = mode;
  }
  evaluate(info);
}

MacroblockInfo ModeDecision::search_split(const MacroblockInfo& whole,
                                          SplitPartitioning partitioning,
                                          const MvCandidates& near_by, Cost& rough_cost) {
  const Plane plane = writer_.reconstruction().references[whole.reference]->plane(0);
  const MotionSearch search = motion_search(plane, near_by.best);
  const MacroblockGrid& grid = writer_.macroblocks();
  const MacroblockInfo& above = grid.at(row_ - 1, column_);
  const MacroblockInfo& left = grid.at(row_, column_ - 1);
  const int width = partitioning == k16x8 ? 16 : partitioning == k4x4 ? 4 : 8;
  const int height = partitioning == k8x16 ? 16 : partitioning == k4x4 ? 4 : 8;
  MacroblockInfo info = whole;
  info.y_mode = SPLITMV;
  info.partitioning = partitioning;
  rough_cost = 0;
  for (int part = 0; part < kSplitPartCount[partitioning]; ++part) {
    const int first = first_subblock_of_part(partitioning, part);
    const int x = (first & 3) * 4;
    const int y = (first >> 2) * 4;
    const SearchBlock block{source_.pixels[0] + y * source_.stride[0] + x,
                            source_.stride[0],
                            column_ * 16 + x,
                            row_ * 16 + y,
                            width,
                            height};
    const MotionVector from_left = left_mv(info, left, first);
    const MotionVector from_above = above_mv(info, above, first);
    const MotionVector found = search.search(
        block, {whole.mv(), from_left, from_above, MotionVector{}}, kSplitSearchStepPx);
    const std::pair<SplitMvMode, MotionVector> ways[] = {
        {LEFT4X4, from_left}, {ABOVE4X4, from_above}, {ZERO4X4, {}}, {NEW4X4, found}};
    Cost best = kNever;
    for (const auto& [mode, mv] : ways) {
      RateCounter counter;
      write_tree(counter, kSplitMvModeTree, split_mv_probabilities(from_left, from_above), mode);
      const Rate rate = counter.rate() + (mode == NEW4X4 ? mv_rates_.of(mv - near_by.best) : 0);
      const Cost cost = lagrangian_.absolute_cost(search.difference(block, mv), rate);
      if (cost >= best) continue;
      best = cost;
      info.split_modes[static_cast<std::size_t>(part)] = mode;
      for (std::size_t i = 0; i < 16; ++i) {
        if (kSplitPartOfSubblock[partitioning][i] == part) info.mvs[i] = mv;
      }
    }
    rough_cost += best;
  }
  return info;
}

void ModeDecision::try_split(const MacroblockInfo& whole) {
  const MvCandidates near_by = mv_candidates_at(writer_.macroblocks(), row_, column_,
                                                whole.reference, writer_.context().sign_bias);
  Cost best = kNever;
  MacroblockInfo chosen;
  const auto look_at = [&](SplitPartitioning partitioning) {
    Cost cost = 0;
    const MacroblockInfo info = search_split(whole, partitioning, near_by, cost);
    if (cost < best) {
      best = cost;
      chosen = info;
    }
  };
  look_at(kQuarters);
  look_at(k16x8);
  look_at(k8x16);
  evaluate(chosen);
  if (best_.info.y_mode != SPLITMV) return;
  best = kNever;
  look_at(k4x4);
  evaluate(chosen);
}

}  // namespace vp8
