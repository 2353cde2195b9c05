(() => {
  const every = +document.body.dataset.every, dead = 4 * every; // seconds: between two looks; until the page calls itself stale
  const $ = s => document.querySelector(s), live = $(".live"), stale = $(".stale");
  let seen = Date.now(), at = -1;
  live.hidden = false;
  async function look() {
    try {
      const r = await fetch(location.href, {cache: "no-store", headers: {Accept: "text/html"}});
      if (!r.ok) throw new Error(r.status);
      const next = new DOMParser().parseFromString(await r.text(), "text/html"), old = $("main");
      const open = [...old.querySelectorAll("details[open]")].map(d => d.id), focus = document.activeElement?.id;
      const said = old.querySelector("h1").textContent;
      for (const part of ["#asof", "main"]) $(part).replaceWith(document.adoptNode(next.querySelector(part)));
      document.title = next.title;
      open.forEach(id => { const d = document.getElementById(id); if (d) d.open = true; });
      if (focus) document.getElementById(focus)?.focus({preventScroll: true});
      if ($("h1").textContent !== said) $("#say").textContent = $("h1").textContent;
      seen = Date.now(); stale.hidden = true;
    } catch { /* tick() says it */ }
  }
  setInterval(() => {                                 // a page that is not fed must not look healthy
    const age = Math.round((Date.now() - seen) / 1000);
    if (age > dead && stale.hidden) { stale.hidden = false; document.title = "? " + document.title; }
    if (!document.hidden && age > 0 && age % every === 0) look();
  }, 1000);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  const days = () => [...document.querySelectorAll(".cal [data-d]")];
  const show = r => {
    if (!r) return;
    at = days().indexOf(r);
    document.querySelectorAll(".cur").forEach(c => c.remove());
    const c = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const k of ["x", "y", "width", "height"]) c.setAttribute(k, r.getAttribute(k));
    c.setAttribute("class", "cur"); r.ownerSVGElement.append(c);
    $("#day").textContent = r.querySelector("title").textContent;
  };
  for (const on of ["pointerover", "click"]) document.addEventListener(on, e => show(e.target.closest?.(".cal [data-d]")));
  document.addEventListener("keydown", e => {
    const step = {ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7}[e.key];
    if (!step || !e.target.closest?.(".cals")) return;
    e.preventDefault();
    const all = days();
    show(all[Math.min(all.length - 1, Math.max(0, (at < 0 ? all.length - 1 : at) + step))]);
  });
})();
