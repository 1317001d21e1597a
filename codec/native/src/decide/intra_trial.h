// Trying a macroblock's intra modes.
#pragma once

#include "decide/effort.h"
#include "decide/macroblock_trial.h"

namespace vp8 {

// Evaluates intra candidates for the macroblock on trial: in a key frame all modes, else
// the whole mode that differs least. Tries B_PRED, too, in a key frame, if `effort`
// says so, or if no inter candidate is the best so far. `rough`: what the best inter candidate
// costs by Hadamard differences. What promises too little against that is not evaluated.
void try_intra(MacroblockTrial& trial, const IntraEffort& effort, Cost rough = kNever);

// Whether the target holds the best candidate after try_intra(): B_PRED comes last, and
// reconstructs its subblocks, since they are predicted from each other.
inline bool target_holds_best(const MacroblockTrial& trial) {
  return trial.best().info.y_mode == B_PRED;
}

}  // namespace vp8
