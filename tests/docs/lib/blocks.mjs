// The code blocks of a Markdown file, in order. Knows nothing of what they mean.

/** What stands for a file's name on the first line of its block, by language. */
const NAMES = {
  js: /^\/\/ (\S+)$/,
  python: /^# (\S+)$/,
  toml: /^# (\S+)$/,
  dotenv: /^# (\S+)$/,
  ini: /^# (\S+)$/,
  html: /^<!-- (\S+) -->$/,
};

/** `{language, about, line, text}` of each block; `about` is what follows the language. */
export function blocks(markdown) {
  const found = [];
  let open;
  markdown.split('\n').forEach((text, index) => {
    const fence = /^\s*```(\w*) ?(.*)$/.exec(text);
    if (open && fence) {
      found.push({ ...open, text: open.lines.join('\n') });
      open = undefined;
    } else if (open) {
      open.lines.push(text);
    } else if (fence) {
      open = { language: fence[1], about: fence[2].trim(), line: index + 1, lines: [] };
    }
  });
  if (open) throw new Error(`line ${open.line}: a block without an end`);
  return found;
}

/** The name of the file that a block shows; nothing if blocks of its language are no files. */
export function fileName({ language, text, line }) {
  const pattern = NAMES[language];
  if (!pattern) return undefined;
  const name = pattern.exec(text.split('\n', 1)[0])?.[1];
  if (!name) throw new Error(`line ${line}: the first line must name the file`);
  return name;
}

/** The commands of a block of shell, without remarks. */
export function commands({ text }) {
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#\s.*$/, '').trim())
    .filter((line) => line !== '');
}

/** Whether `line` is what a document says; `…` stands for anything. */
export function isAsSaid(said, line) {
  const parts = said.split('…').map((it) => it.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(line);
}
