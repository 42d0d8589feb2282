for (const table of document.querySelectorAll("table.class")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [row, value(row, column)]);
    const number = rows.every(([, text]) => text === "" || !isNaN(text));
    rows.sort(([, a], [, b]) => number ? Number(a || -1) - Number(b || -1)
      : a.localeCompare(b, undefined, { numeric: true }));
    if (down) rows.reverse();
    body.append(...rows.map(([row]) => row));
  }));
  const filter = document.getElementById(table.dataset.filter), count = filter.nextElementSibling;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? `${shown} of ${body.rows.length}` : "";
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
