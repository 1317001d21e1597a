/* Records of tasks as the component takes them, which is in the form of `mu.timeline_page.rows_of`. */

import { seen } from "./text.js";

export function rowsOf(records) {
  const ended = records.filter((one) => one.finished !== null);
  const start = ended.reduce((least, one) => Math.min(least, one.queued ?? one.started), Infinity);
  const places = () => {
    const all = new Map();
    return [all, (text) => { if (!all.has(text)) all.set(text, all.size); return all.get(text); }];
  };
  const [names, nameAt] = places(), [workers, workerAt] = places(), [marks, markAt] = places();
  const since = (time) => (time === null ? null : time - start);
  const rows = ended.map((one) => [
    nameAt(seen(one.name)), seen(one.which), workerAt(seen(one.worker)),
    since(one.queued), since(one.started), since(one.finished), one.attempt,
    one.error === null ? null : seen(one.error), one.dollars ?? 0, one.memory_mb ?? null, one.peak_memory_mib,
    Object.entries(one.marks).flatMap(([mark, at]) => (at === null ? [] : [[markAt(seen(mark)), since(at)]])),
  ]);
  const listed = (places_) => [...places_.keys()];
  return { names: listed(names), workers: listed(workers), marks: listed(marks), start: ended.length ? start : 0, rows };
}
