#include "decide/intra_trial.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernels.h"
#include "picture/intra_prediction.h"
#include "picture/transform.h"

namespace vp8 {
namespace {

constexpr MacroblockMode kWholeIntraModes[] = {DC_PRED, V_PRED, H_PRED, TM_PRED};

// If the best whole mode costs more than so many halves of the best inter candidate, by
// Hadamard differences, it is not evaluated; nor is B_PRED, which may predict better.
constexpr int kWholePromises = 3;
constexpr int kSubblocksPromise = 5;

struct RoughMode {
  MacroblockMode mode;
  Cost cost;  // by Hadamard differences
};

// The cheapest mode for all the planes that predict(mode) predicts, by the Hadamard
// differences it returns.
template <typename Predict, typename RateOf>
RoughMode cheapest_mode(const Lagrangian& lagrangian, RateOf&& rate_of, Predict&& predict) {
  RoughMode best{DC_PRED, kNever};
  for (const MacroblockMode mode : kWholeIntraModes) {
    const int difference = predict(mode);
    const Cost cost = lagrangian.absolute_cost(difference, rate_of(mode));
    if (cost < best.cost) best = {mode, cost};
  }
  return best;
}

// Predicts a plane and returns the Hadamard difference.
int predict_plane(const MacroblockTrial& trial, MacroblockMode mode, int plane) {
  const MacroblockPixels& source = trial.source();
  const MacroblockPixels& target = trial.target();
  predict_intra(mode, plane == 0 ? 16 : 8, target.pixels[plane], target.stride[plane],
                trial.has_above(), trial.has_left());
  return kernels().satd[plane == 0 ? 2 : 1](source.pixels[plane], source.stride[plane],
                                            target.pixels[plane], target.stride[plane]);
}

MacroblockMode choose_uv_mode(const MacroblockTrial& trial) {
  const auto predict = [&](MacroblockMode mode) {
    return predict_plane(trial, mode, 1) + predict_plane(trial, mode, 2);
  };
  return cheapest_mode(
             trial.lagrangian(), [&](MacroblockMode mode) { return trial.rates().uv_mode(mode); },
             predict)
      .mode;
}

RoughMode choose_y_mode(const MacroblockTrial& trial) {
  return cheapest_mode(
      trial.lagrangian(), [&](MacroblockMode mode) { return trial.rates().y_mode(mode); },
      [&](MacroblockMode mode) { return predict_plane(trial, mode, 0); });
}

void evaluate_whole(MacroblockTrial& trial, MacroblockMode mode, MacroblockMode uv_mode) {
  MacroblockInfo& info = trial.new_candidate().info;
  info.uv_mode = uv_mode;
  info.y_mode = mode;
  info.subblock_modes.fill(implied_subblock_mode(mode));
  trial.evaluate(trial.rates().y_mode(mode) + trial.rates().uv_mode(uv_mode));
}

// A mode of a subblock, and the rate of naming it.
struct SubblockChoice {
  SubblockMode mode = B_DC_PRED;
  Rate rate = 0;
};

// The modes of one subblock that cost least by Hadamard differences, at most kMaxFinalists,
// the cheapest first.
class SubblockFinalists {
 public:
  explicit SubblockFinalists(int wanted) : wanted_(std::min(wanted, kMaxFinalists)) {}

  void add(SubblockChoice choice, Cost cost) {
    if (count_ == wanted_ && cost >= costs_[count_ - 1]) return;
    int at = count_ < wanted_ ? count_++ : count_ - 1;
    // The first of equals stays before the others.
    for (; at > 0 && costs_[at - 1] > cost; --at) {
      choices_[at] = choices_[at - 1];
      costs_[at] = costs_[at - 1];
    }
    choices_[at] = choice;
    costs_[at] = cost;
  }
  // The one that costs least by cost_of(choice); a single one wins without it.
  template <typename CostOf>
  SubblockChoice cheapest(CostOf&& cost_of) const {
    SubblockChoice chosen = choices_[0];
    Cost least = kNever;
    for (int i = 0; count_ > 1 && i < count_; ++i) {
      const Cost cost = cost_of(choices_[i]);
      if (cost >= least) continue;
      least = cost;
      chosen = choices_[i];
    }
    return chosen;
  }

 private:
  static constexpr int kMaxFinalists = 4;
  int wanted_;
  int count_ = 0;
  SubblockChoice choices_[kMaxFinalists];
  Cost costs_[kMaxFinalists];
};

SubblockFinalists subblock_finalists(const MacroblockTrial& trial, int subblock,
                                     const MacroblockInfo& info, const std::uint8_t* source,
                                     const std::uint8_t (*predictions)[16], int wanted) {
  const auto i = static_cast<std::size_t>(subblock);
  const SubblockMode above =
      subblock >= 4 ? info.subblock_modes[i - 4] : trial.above().subblock_modes[i + 12];
  const SubblockMode left =
      (subblock & 3) ? info.subblock_modes[i - 1] : trial.left().subblock_modes[i + 3];
  int differences[kSubblockModes];
  kernels().satd_many(source, trial.source().stride[0], predictions, kSubblockModes, differences);
  SubblockFinalists finalists(wanted);
  for (int m = 0; m < kSubblockModes; ++m) {
    const auto mode = static_cast<SubblockMode>(m);
    const Rate own = trial.rates().subblock_mode(mode, above, left);
    finalists.add({mode, own}, trial.lagrangian().absolute_cost(differences[m], own));
  }
  return finalists;
}

void try_subblocks(MacroblockTrial& trial, MacroblockMode uv_mode, int finalists) {
  // By name: clang before 16 captures no structured bindings.
  MacroblockTrial::Candidate& candidate = trial.new_candidate();
  MacroblockInfo& info = candidate.info;
  MacroblockCoefficients& coefficients = candidate.coefficients;
  info.y_mode = B_PRED;
  info.uv_mode = uv_mode;
  const MacroblockPixels& target = trial.target();
  const std::ptrdiff_t stride = target.stride[0];
  const std::ptrdiff_t source_stride = trial.source().stride[0];
  const AboveRight above_right{target.pixels[0] - stride, stride};
  const int* const steps = trial.quantizers().y.steps;
  const Lagrangian& lagrangian = trial.lagrangian();
  const ResidueCoder residue = trial.residue_coder();
  TokenContext above = trial.tokens_above();
  TokenContext left = trial.tokens_left();
  Rate rate = trial.rates().y_mode(B_PRED) + trial.rates().uv_mode(uv_mode);
  Cost base = 0;
  Cost coded = 0;
  for (int i = 0; i < 16; ++i) {
    const std::ptrdiff_t line = (i >> 2) * 4;
    const std::ptrdiff_t offset = (i & 3) * 4;
    std::uint8_t* pixels = target.pixels[0] + line * stride + offset;
    const std::uint8_t* source = trial.source().pixels[0] + line * source_stride + offset;
    alignas(32) std::uint8_t predictions[kSubblockModes][16];
    const SubblockEdge edge = subblock_edge(pixels, stride, above_right.of(i));
    kernels().predict_all_subblocks(edge.pixels, predictions);
    const auto distortion = [&](const SubblockChoice& choice) {
      return lagrangian.cost(
          std::int64_t{16} * kernels().sse[0](source, source_stride, predictions[choice.mode], 4),
          0);
    };
    const auto code = [&](const SubblockChoice& choice, TokenContext& a, TokenContext& l) {
      return residue.code_subblock(i, source, source_stride, predictions[choice.mode], 4, a, l,
                                   coefficients);
    };
    const SubblockFinalists best =
        subblock_finalists(trial, i, info, source, predictions, finalists);
    const SubblockChoice chosen = best.cheapest([&](const SubblockChoice& choice) {
      TokenContext a = above;
      TokenContext l = left;
      return distortion(choice) + code(choice, a, l) + lagrangian.cost(0, choice.rate);
    });
    info.subblock_modes[static_cast<std::size_t>(i)] = chosen.mode;
    rate += chosen.rate;
    const std::uint8_t* prediction = predictions[chosen.mode];
    for (int y = 0; y < 4; ++y) std::memcpy(pixels + y * stride, prediction + 4 * y, 4);
    base += distortion(chosen);
    coded += code(chosen, above, left);
    if (base + coded + lagrangian.cost(0, rate) >= trial.best().cost) return;
    add_block(coefficients.values[i], coefficients.ends[i], steps, pixels, stride);
  }
  for (int p = 1; p < kPlanes; ++p) {
    predict_intra(uv_mode, 8, target.pixels[p], target.stride[p], trial.has_above(),
                  trial.has_left());
  }
  base += trial.prediction_cost(false);
  coded += residue.code_chroma(trial.source(), target, above, left, coefficients);
  trial.keep_if_best(base, coded, rate);
}

}  // namespace

void try_intra(MacroblockTrial& trial, const IntraEffort& effort, Cost rough) {
  if (trial.frame().header().start.key_frame) {
    const MacroblockMode uv_mode = choose_uv_mode(trial);
    for (const MacroblockMode mode : kWholeIntraModes) evaluate_whole(trial, mode, uv_mode);
    try_subblocks(trial, uv_mode, effort.subblock_finalists);
    return;
  }
  const RoughMode whole = choose_y_mode(trial);
  const auto promises = [&](int halves) {
    return !trial.best().info.is_inter() || whole.cost / halves < rough / 2;
  };
  if (!promises(kSubblocksPromise)) return;
  const MacroblockMode uv_mode = choose_uv_mode(trial);
  if (promises(kWholePromises)) evaluate_whole(trial, whole.mode, uv_mode);
  if (effort.subblocks || !trial.best().info.is_inter()) {
    try_subblocks(trial, uv_mode, effort.subblock_finalists);
  }
}

}  // namespace vp8
