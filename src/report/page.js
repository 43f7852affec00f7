(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cells = all("#grid li").map((element) => ({
    element, text: element.textContent.toLowerCase(), group: element.closest(".group").dataset.group,
  }));
  const search = document.getElementById("q");
  const shown = document.getElementById("shown");
  const detail = document.getElementById("detail");
  if (!search) return;
  document.documentElement.classList.add("js");
  const update = () => {
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const versions = new Set(all("[data-version]").filter((box) => box.checked).map((box) => box.dataset.version));
    const only = all("[data-only]").filter((box) => box.checked).map((box) => box.dataset.only);
    const counts = new Map();
    for (const { element, text, group } of cells) {
      const fits = versions.has(group) && words.every((word) => text.includes(word))
        && (only.length === 0 || only.some((mark) => element.classList.contains(mark)));
      if (element.hidden === fits) element.hidden = !fits;
      if (fits) counts.set(group, (counts.get(group) || 0) + 1);
    }
    for (const group of all(".group")) group.hidden = !counts.has(group.dataset.group);
    const sum = [...counts.values()].reduce((sum, count) => sum + count, 0);
    shown.textContent = `${sum} of ${cells.length}`;
  };
  search.form.addEventListener("input", update);
  search.form.addEventListener("submit", (event) => event.preventDefault());
  const visible = () => cells.map((cell) => cell.element).filter((element) => !element.hidden);
  const tell = (element) => { detail.textContent = element.textContent; };
  const grid = document.getElementById("grid");
  let current = cells.length ? cells[0].element : null;
  if (current) current.tabIndex = 0;
  const focus = (element) => {
    if (!element) return;
    if (current) current.removeAttribute("tabindex");
    current = element;
    current.tabIndex = 0;
    current.focus();
  };
  grid.addEventListener("focusin", (event) => { if (event.target.tagName === "LI") tell(event.target); });
  grid.addEventListener("mouseover", (event) => { const cell = event.target.closest("li"); if (cell) tell(cell); });
  grid.addEventListener("keydown", (event) => {
    const list = visible();
    const at = list.indexOf(document.activeElement);
    if (at < 0) return;
    const box = list[at].getBoundingClientRect();
    const vertical = (step) => {
      for (let other = at + step; list[other]; other += step) {
        const found = list[other].getBoundingClientRect();
        if (Math.abs(found.top - box.top) > 4 && Math.abs(found.left - box.left) < 9) return list[other];
      }
      return null;
    };
    const moves = {
      ArrowRight: () => list[at + 1], ArrowLeft: () => list[at - 1], Home: () => list[0], End: () => list[list.length - 1],
      ArrowDown: () => vertical(1), ArrowUp: () => vertical(-1),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    focus(moves[event.key]());
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.tagName === "INPUT" && event.target.type === "search";
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && typing) {
      search.value = "";
      update();
      search.blur();
    }
  });
  update();
})();
