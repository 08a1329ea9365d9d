// A ladder is lines of text such as “at 80 %: tell the owner”: rows of a moment, an action, and a team or role to name.
(() => {
  "use strict";

  const { make, input, select, asRows, each } = window.slaLines;
  const PERCENT = "%", BEFORE = "minutes before the limit", AFTER = "minutes after the limit";
  const MOMENTS = [
    [/^(?:at|after)?\s*(\d+)\s*(?:%|percent)(?:\s+of the (?:limit|month))?\s*[:,]\s*/i, (m) => [m[1], PERCENT]],
    [
      /^(\d+)\s*(min(?:utes?)?|hours?)\s+(before|after)(?:\s+the limit)?\s*[:,]\s*/i,
      (m) => [m[1] * (/^h/i.test(m[2]) ? 60 : 1), /^b/i.test(m[3]) ? BEFORE : AFTER],
    ],
    [/^at the (?:limit|end of the month)\s*[:,]\s*/i, () => ["100", PERCENT]],
  ];
  // What most ladders have, one step after the other.
  const USUAL = { limit: ["50", "80", "100", "150"], month: ["60", "100"] };

  function split(line, actions, names) {
    for (const [pattern, read] of MOMENTS) {
      const match = line.trim().match(pattern);
      if (!match) continue;
      const rest = line.trim().slice(match[0].length).replace("'", "’");
      const action = Object.keys(actions).find((words) => rest.toLowerCase().startsWith(words));
      if (!action) return null;
      const behind = line.trim().slice(match[0].length + action.length).trim();
      const name = (behind.match(/^\((.*)\)$/) || [])[1] || "";
      const known = names[actions[action]] || [];
      if (behind && !known.includes(name)) return null;
      const [amount, unit] = read(match);
      return { amount, unit, action, name };
    }
    return null;
  }

  each("data-ladder-actions", (area) => {
    const actions = JSON.parse(area.dataset.ladderActions);
    const names = JSON.parse(area.dataset.ladderNames);
    const chosen = area.closest(".form-group").querySelector("select[data-kinds]");
    const kinds = JSON.parse(chosen.dataset.kinds);
    const kind = () => kinds[chosen.value];
    const hasMonth = () => Boolean(kind()) && !kind().limit;

    // What the kind cannot do is not offered, and stays where it was chosen before.
    function offer(list, offered) {
      [...list.options].forEach((option) => {
        option.hidden = option.disabled = !offered.includes(option.value) && option.value !== list.value;
      });
    }

    function controls({ amount, unit, action, name }) {
      const much = input(area, "When", { type: "number", min: "0", step: "1", inputmode: "numeric" });
      const what = select(area, "Counted in", [PERCENT, BEFORE, AFTER]);
      const how = select(area, "Action", Object.keys(actions));
      const whom = make("select", { class: how.className });
      let naming = null;
      [much.value, what.value, how.value] = [amount, unit, action];

      function fit() {
        [hasMonth() ? "% of the month" : "% of the limit", "min before the limit", "min after the limit"].forEach(
          (words, place) => { what.options[place].text = words; },
        );
        offer(what, hasMonth() ? [PERCENT] : [PERCENT, BEFORE, AFTER]);
        offer(how, kind() ? kind().actions : Object.keys(actions));
        const wanted = actions[how.value];
        whom.hidden = !wanted;
        if (naming === wanted) return;
        naming = wanted;
        whom.setAttribute("aria-label", wanted === "role" ? "Role" : "Team");
        const first = make("option", { value: "" }, wanted === "role" ? "choose a role" : "its own team");
        whom.replaceChildren(first, ...(names[wanted] || []).map((one) => make("option", { value: one }, one)));
        whom.value = "";
      }

      fit();
      whom.value = name;
      return {
        inputs: [much, what, how, whom],
        fit,
        line() {
          const moment = what.value === PERCENT ? `at ${much.value} %` : `${much.value} ${what.value}`;
          return `${moment}: ${how.value}${whom.value ? ` (${whom.value})` : ""}`;
        },
      };
    }

    const fit = asRows(area, {
      name: "step",
      rowClass: "sla-rung",
      split: (line) => split(line, actions, names),
      blank: (count) => ({
        amount: (hasMonth() ? USUAL.month : USUAL.limit)[count] || "100",
        unit: PERCENT,
        action: kind() ? kind().actions[0] : Object.keys(actions)[0],
        name: "",
      }),
      controls,
      sorts: true,
    });
    chosen.addEventListener("input", fit);
  });
})();
