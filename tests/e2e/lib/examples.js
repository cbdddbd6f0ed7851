"use strict";
// The examples of a document, and what makes a program of one.

const fs = require("node:fs");
const path = require("node:path");

/// Every fenced block: {section, number (in its section, from 1), language, text, line}.
function readExamples(file) {
  const blocks = [];
  const counts = new Map();
  let section = "", open = null;
  fs.readFileSync(file, "utf8").split("\n").forEach((text, index) => {
    const fence = /^```(\w*)/.exec(text);
    if (fence && open) {
      blocks.push({ ...open, text: open.lines.join("\n") + "\n" });
      open = null;
    } else if (fence) {
      const number = (counts.get(section) ?? 0) + 1;
      counts.set(section, number);
      open = { section, number, language: fence[1], line: index + 2, lines: [] };
    } else if (open) {
      open.lines.push(text);
    } else {
      section = /^#+ (.*)$/.exec(text)?.[1] ?? section;
    }
  });
  if (open) throw new Error(`${file}: the block from line ${open.line} on has no end`);
  return blocks;
}

/// The links of a document that lead nowhere: files that are not there, headings that no one has.
function brokenLinks(file) {
  const prose = (name) => fs.readFileSync(name, "utf8").replace(/^```[^]*?^```/gm, "");
  const anchors = (name) => [...prose(name).matchAll(/^#+ (.*)$/gm)]
    .map(([, text]) => text.toLowerCase().replace(/[^\w\- ]/g, "").replace(/ /g, "-"));
  return [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [name, anchor] = link.split("#");
    const target = name ? path.resolve(path.dirname(file), name) : file;
    return !fs.existsSync(target) || (anchor && !anchors(target).includes(anchor));
  });
}

/// Lua in which each line of `text` is an expression whose values are shown: show(value, …).
function shown(text) {
  return text.replace(/^(?! *--)(.*?\S)( *)(-- .*)?$/gm, "show($1)$2$3");
}

/// A file of namespace /shop that has the example at its lines in the document, so that errors name
/// those. An example without a `namespace` gets what it takes for granted:
/// - `before`, `after`: Lua at the file's level, around it;
/// - `handler`: it shows what stands in a handler: that of event "run", which has these parameters
///   (true: none beyond the socket). `returns` is Lua, what the handler then returns.
function luaFile({ text, line }, { before = "", after = "", handler, returns = "" } = {}) {
  const code = text.replace(/--.*$/gm, "");
  const first = [];
  if (!/\bnamespace\s*["(]/.test(code)) {
    if (/\bns\b/.test(code + before + after) || handler || /\broute\b|\bon_request\b|\bon_suspicious\b/.test(code))
      first.push('local ns = namespace "/shop"');
    if (/\bschema\./.test(code + before + after)) first.push('local schema = require "schema"');
  }
  first.push(before.replace(/\n/g, " "));
  if (handler) first.push(`ns:on("run", function(${["socket", handler].filter((each) => each !== true).join(", ")})`);
  const last = handler ? `return ${returns || "true"} end)` : "";
  return `${"\n".repeat(line - 2)}${first.join(" ")}\n${text}${last}\n${after}`;
}

module.exports = { brokenLinks, readExamples, luaFile, shown };
