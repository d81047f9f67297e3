"use strict";
// The page is whole without this: a pointer reads the curves, a heading sorts its table.
{
  const points = JSON.parse(document.getElementById("points")?.textContent ?? "[]");
  const curves = [...document.querySelectorAll(".rising .field, .hanging .field")];
  const readout = document.getElementById("readout");
  const resting = readout?.textContent;

  const show = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [begin, end] = [points[0][0], points[points.length - 1][0]];
    const at = begin + ((event.clientX - box.left) / box.width) * (end - begin);
    const last = points.reduce((found, point) => (point[0] <= at ? point : found), points[0]);
    readout.textContent = last.slice(1).join("  \u00b7  ");
    const x = `${(100 * Math.min(Math.max(at - begin, 0), end - begin)) / Math.max(1, end - begin)}%`;
    for (const cursor of curves.map((curve) => curve.querySelector(".cursor"))) {
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.classList.add("is-shown");
    }
  };
  const hide = () => {
    readout.textContent = resting;
    for (const curve of curves) curve.querySelector(".cursor").classList.remove("is-shown");
  };
  if (points.length && readout) {
    for (const curve of curves) {
      curve.addEventListener("pointermove", show);
      curve.addEventListener("pointerleave", hide);
    }
  }

  const worth = (cell) => {
    const text = cell.dataset.by ?? cell.textContent;
    const number = Number(text.replace(/[,\s%]/g, "").replace("\u2212", "-"));
    return text === "\u2013" ? -Infinity : Number.isNaN(number) ? text : number;
  };
  const sort = (heading, column) => {
    const body = heading.closest("table").tBodies[0];
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const rows = [...body.rows].map((row) => [worth(row.cells[column]), row]);
    rows.sort(([one], [other]) => sign * (one < other ? -1 : one > other ? 1 : 0));
    body.append(...rows.map(([, row]) => row));
    for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  };
  for (const heading of document.querySelectorAll("table.sorts thead th")) {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => sort(heading, heading.cellIndex));
  }
}
