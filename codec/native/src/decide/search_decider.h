// Deciding how a macroblock is coded, searching from nothing.
#pragma once

#include <vector>

#include "decide/effort.h"
#include "decide/far_vectors.h"
#include "decide/macroblock_trial.h"
#include "decide/split_search.h"

namespace vp8 {

class SearchDecider {
 public:
  // `far` may be null.
  SearchDecider(RowWriter& row, const SearchEffort& effort, const FarVectors* far)
      : trial_(row), effort_(effort), far_(far) {}

  // Decides the next macroblock of the row and commits it.
  void decide(int column);

 private:
  // A way to predict it whole from a reference, weighed by Hadamard differences.
  struct RoughCandidate {
    ReferenceFrame reference;
    MacroblockMode mode;
    MotionVector mv;
    Rate rate;
    int difference;
    Cost cost;
  };

  // Returns whether the macroblock is settled, and nothing else need be tried.
  bool try_inter();
  // `own`: rate of mode and vector. `difference()` measures it if it is not known yet.
  template <typename Difference>
  void add_rough(ReferenceFrame reference, MacroblockMode mode, MotionVector mv, Rate own,
                 Difference&& difference);
  // The vectors that need no search.
  void add_suggested(ReferenceFrame reference);
  // Whether the best of those leaves nothing to code; see SearchEffort.
  bool settle();
  // Whether the mean of its own pixels would predict the macroblock better than the prediction in
  // the target, by a quarter. Something that does not belong there would stay in flat regions.
  bool own_mean_predicts() const;
  void search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels);
  void evaluate_whole(const RoughCandidate& rough);
  void try_splits();

  MacroblockTrial trial_;
  const SearchEffort effort_;
  const FarVectors* const far_;
  SplitSearch splits_{trial_, effort_};
  std::vector<RoughCandidate> rough_;
  // The best whole vector so far, of any reference: where the search in the next one starts, too.
  MotionSearch::Found whole_best_{};
};

// Rows of a frame: `count` of them from `first` on, each `every` below the one before.
struct RowRange {
  int first;
  int every;
  int count;
};

// Decides and writes rows, which the threads of a team share. `far` may be null.
void decide_rows(FrameWriter& frame, const SearchEffort& effort, const FarVectors* far,
                 const RowRange& rows, ThreadTeam& team);

}  // namespace vp8
