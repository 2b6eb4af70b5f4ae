import type { Heading } from '../../documents.ts';
import type { CodeLanguage } from './code-languages.ts';
import type { ParsedDocument } from './parsed.ts';

/** A line longer than this declares nothing that a reader would look for: it is generated or packed. */
const LONGEST_LINE = 300;
const MAX_HEADINGS = 20_000;

interface Declaration {
  /** Tried on a line without its indentation; the first group is what the place is called. */
  pattern: RegExp;
}

const NAME = String.raw`[\p{L}_$][\p{L}\p{N}_$]*`;
const line = (source: string): Declaration => ({ pattern: new RegExp(`^(?:${source})`, 'u') });

const SCRIPT = [
  line(`(?:export )?(?:default )?(?:abstract )?((?:class|interface|enum|namespace) ${NAME})`),
  line(`(?:export )?(?:declare )?(type ${NAME})`),
  line(`(?:export )?(?:default )?(?:async )?(function\\*? ?${NAME})`),
  line(`(?:export )?(?:const|let|var) (${NAME})(?:: [^=]{1,150})? = (?:async )?(?:function|\\(|${NAME} =>)`),
  line(
    `(?:(?:public|private|protected|static|async|override|get|set) ){0,4}(?!(?:if|for|while|switch|catch|return|function)\\b)(${NAME})\\([^;]{0,200}\\{$`,
  ),
];
const C_LIKE = [
  line(
    `(?:(?:public|private|protected|internal|static|final|abstract|sealed|partial|open|data|case|export) ){0,5}((?:class|interface|enum|struct|record|object|trait|union|namespace|extension|protocol) ${NAME})`,
  ),
  line(
    `(?:(?:[\\p{L}_][\\p{L}\\p{N}_]*(?:<[^<>]{0,80}>)?(?:\\[\\])?|[*&]) ?){1,6}?(?<= |\\*|&)(?!(?:if|for|while|switch|catch|return|else|new)\\b)(~?${NAME}(?:::~?${NAME})?)\\([^;]{0,200}$`,
  ),
];

/** What begins a named part of a file, by language. Every pattern is tried on one short line and cannot backtrack far. */
const DECLARATIONS: Readonly<Record<CodeLanguage, readonly Declaration[]>> = {
  javascript: SCRIPT,
  typescript: SCRIPT,
  python: [line(`(class ${NAME})`), line(`(?:async )?(def ${NAME})`)],
  ruby: [line(`((?:class|module) [\\p{L}\\p{N}_:]{1,100})`), line(`(def (?:self\\.)?[\\p{L}\\p{N}_]{1,100}[?!=]?)`)],
  go: [line(`(func (?:\\([^()]{1,100}\\) )?${NAME})`), line(`(type ${NAME})`)],
  rust: [
    line(
      `(?:pub(?:\\([a-z]{1,10}\\))? )?(?:unsafe |async |const ){0,2}((?:fn|struct|enum|trait|mod|union|macro_rules!) ${NAME})`,
    ),
    line(`(impl(?:<[^<>]{0,100}>)? [^{]{1,150}?) ?\\{`),
  ],
  java: C_LIKE,
  kotlin: [...C_LIKE, line(`(?:(?:public|private|internal|override|suspend|inline) ){0,4}(fun ${NAME})`)],
  scala: [...C_LIKE.slice(0, 1), line(`(?:(?:override|private|protected|implicit) ){0,3}(def ${NAME})`)],
  c: C_LIKE,
  cpp: C_LIKE,
  csharp: C_LIKE,
  php: [
    ...C_LIKE.slice(0, 1),
    line(`(?:(?:public|private|protected|static|abstract|final) ){0,4}(function &?${NAME})`),
  ],
  swift: [
    ...C_LIKE.slice(0, 1),
    line(`(?:(?:public|private|internal|static|override|mutating|open) ){0,4}(func ${NAME})`),
  ],
  dart: C_LIKE,
  shell: [
    line(`(?:function )?([\\p{L}_][\\p{L}\\p{N}_-]{0,100}) ?\\(\\)`),
    line(`(function [\\p{L}_][\\p{L}\\p{N}_-]{0,100})`),
  ],
  powershell: [line(`([Ff]unction [\\p{L}_][\\p{L}\\p{N}_-]{0,100})`)],
  perl: [line(`(sub ${NAME})`), line(`(package [\\p{L}\\p{N}_:]{1,100})`)],
  lua: [line(`(?:local )?(function [\\p{L}\\p{N}_.:]{1,100})`)],
  r: [line(`([\\p{L}.][\\p{L}\\p{N}_.]{0,100}) ?(?:<-|=) ?function`)],
  elixir: [line(`((?:defmodule|defp?|defmacro) [\\p{L}\\p{N}_.?!]{1,100})`)],
  haskell: [line(`(${NAME}) ::`), line(`((?:data|newtype|class|instance|module) [^=]{1,100}?)(?: =| where|$)`)],
  sql: [
    line(
      `((?:[Cc][Rr][Ee][Aa][Tt][Ee]) (?:[A-Za-z]{1,20} ){0,4}(?:[Ii][Ff] [Nn][Oo][Tt] [Ee][Xx][Ii][Ss][Tt][Ss] )?["\`\\p{L}_][\\p{L}\\p{N}_."\`]{0,100})`,
    ),
  ],
  protobuf: [line(`((?:message|service|enum|rpc) ${NAME})`)],
  graphql: [line(`((?:type|interface|enum|input|union|scalar|extend type|query|mutation|fragment) ${NAME})`)],
  terraform: [line(`((?:resource|data|module|variable|output|provider) "[^"]{1,100}"(?: "[^"]{1,100}")?)`)],
  css: [],
  yaml: [line(`([\\p{L}_][\\p{L}\\p{N}_-]{0,100}):`)],
  toml: [line(`\\[{1,2}([^\\[\\]]{1,150})\\]`)],
  ini: [line(`\\[([^\\[\\]]{1,150})\\]`)],
  xml: [],
};

/** Languages in which an indented line begins nothing that is worth a heading. */
const TOP_LEVEL_ONLY: ReadonlySet<CodeLanguage> = new Set(['yaml', 'go', 'c', 'haskell', 'shell']);

/**
 * Source code as it is, with its classes and functions as headings, so that a chunk tells where it stands. A scan
 * of lines, no parser: what it misses costs a heading, not text. Depth is told by indentation.
 */
export function parseSourceCode(source: string, language: CodeLanguage): ParsedDocument {
  const headings: Heading[] = [];
  const open: number[] = [];
  for (let start = 0; start < source.length && headings.length < MAX_HEADINGS;) {
    const newline = source.indexOf('\n', start);
    const end = newline === -1 ? source.length : newline;
    const found = end - start > LONGEST_LINE ? undefined : declared(source.slice(start, end).trimEnd(), language);
    if (found !== undefined) {
      while ((open.at(-1) ?? -1) >= found.indent) open.pop();
      open.push(found.indent);
      headings.push({ level: Math.min(open.length, 6), start, text: found.name });
    }
    start = end + 1;
  }
  return { text: source, headings, metadata: { language } };
}

function declared(text: string, language: CodeLanguage): { indent: number; name: string } | undefined {
  const bare = text.trimStart();
  const indent = text.length - bare.length;
  if (bare === '' || indent > 12 || (indent > 0 && TOP_LEVEL_ONLY.has(language))) return undefined;
  for (const { pattern } of DECLARATIONS[language]) {
    const name = pattern.exec(bare)?.[1]?.trim();
    if (name !== undefined && name !== '') return { indent, name };
  }
  return undefined;
}
