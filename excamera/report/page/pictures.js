/* The dialog with the pictures of one frame: source, results, differences. */

function frameDialog(report, columns, pictures, number, open) {
  const { runs } = report;
  const pictured = Object.keys(pictures.views).map(Number).sort((a, b) => a - b);
  const shown = pictures.views[number];
  const image = (data, label, alt) => data && make("figure", {}, make("figcaption", {}, label),
    make("img", { src: `data:image/jpeg;base64,${data}`, alt }));
  const facts = make("div", {}, ...runs.map((run, at) => make("p", {}, factsOf(run, columns[at], number))));
  const content = [facts];
  if (shown) {
    if (report.pictured[number]) content.push(make("p", { class: "hint" }, `Why its pictures are here: ${report.pictured[number]}.`));
    content.push(make("div", { class: "views" },
      image(shown.source, "Source", `Frame ${number} of the source`),
      ...shown.runs.flatMap((one, at) => [
        image(one.view, runs[at].name, `Frame ${number} of ${runs[at].name}`),
        image(one.difference, `Difference, eight times as bright`, `Where frame ${number} of ${runs[at].name} differs from the source`),
      ])));
  } else {
    content.push(make("p", {}, pictured.length
      ? `The page has pictures of ${count(pictured.length, "frame")} only: the worst, and some where pieces meet. This is none of them.`
      : "The page has no pictures of single frames."));
    const thumbs = Object.keys(pictures.thumbs).map(Number);
    if (thumbs.length) {
      const nearest = thumbs.reduce((best, one) => (Math.abs(one - number) < Math.abs(best - number) ? one : best));
      content.push(make("figure", {}, make("figcaption", {}, `Frame ${grouped(nearest)}, small`),
        make("img", { src: `data:image/jpeg;base64,${pictures.thumbs[nearest]}`, alt: `Frame ${nearest}` })));
    }
  }
  const before = pictured.filter((one) => one < number).at(-1), after = pictured.find((one) => one > number);
  const go = (to, text) => to !== undefined && make("button", { type: "button", click: () => { dialog.close(); open(to); } }, text);
  content.push(make("div", { class: "row" },
    go(before, `Pictures before it: frame ${grouped(before ?? 0)}`) || null, go(after, `Pictures after it: frame ${grouped(after ?? 0)}`) || null));
  const time = columns[0].time(Math.min(number, columns[0].count - 1));
  const dialog = showDialog(`Frame ${grouped(number)}${time === null ? "" : `, ${clockTime(time)}`}`, ...content);
}
