// Vectors for the parts of a macroblock.
#pragma once

#include "decide/effort.h"
#include "decide/macroblock_trial.h"
#include "decide/motion_search.h"

namespace vp8 {

class SplitSearch {
 public:
  SplitSearch(MacroblockTrial& trial, const SearchEffort& effort)
      : trial_(trial), effort_(effort) {}

  // Evaluates SPLITMV for the macroblock on trial, in the reference of `whole` and with vectors
  // near its vector. `rough`: what the best whole candidate costs by Hadamard differences.
  void evaluate(const MacroblockInfo& whole, Cost rough);

 private:
  // How a part gets its vector.
  struct Part {
    SplitMvMode mode;
    MotionVector mv;
    Rate rate;
    Cost cost;
  };
  // All parts; `cost` is by Hadamard differences.
  struct Split {
    MacroblockInfo info;
    Rate rate = 0;
    Cost cost = kNever;
  };

  // Gives up, at a cost of kNever, once it costs `limit`. 4x4 parts of something `drawn` are
  // looked for everywhere.
  Split search(const MacroblockInfo& whole, SplitPartitioning partitioning, Cost limit,
               bool drawn = false);
  Part choose_part(const MotionSearch& search, const SearchBlock& block,
                   const MotionSearch::Found& found, MotionVector left, MotionVector above) const;
  void evaluate(const Split& split);
  bool wants_smallest(bool drawn) const;

  MacroblockTrial& trial_;
  const SearchEffort& effort_;
  MotionVector quarters_[4];  // the vectors that were found for them
  SearchEverywhere everywhere_{};
};

}  // namespace vp8
