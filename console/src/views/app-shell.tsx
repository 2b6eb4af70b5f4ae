import { useState, type ReactNode } from 'react';
import { applyTheme, preferredTheme, THEMES, type Theme } from '../preferences.ts';
import { useLanguage } from '../words/language.tsx';
import { LANGUAGES, type Language } from '../words/words.ts';
import { GateMark } from './gate-mark.tsx';

const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: 'EN', ja: '日本語' };
const THEME_ICONS: Readonly<Record<Theme, string>> = {
  system: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19',
  dark: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
};

interface ShellProps {
  page: 'playground' | 'reference';
  children: ReactNode;
  /** Present when a key is held: what it looks like, and how it is forgotten. */
  keyHeld?: { hint: string; forget: () => void };
}

/** The frame of every page: the mark, the pages, the key, language and colours. */
export function AppShell(props: ShellProps): ReactNode {
  const { words } = useLanguage();
  return (
    <>
      <a className="skip" href="#main">
        {words.nav.skip}
      </a>
      <header className="bar">
        <a className="brand" href="/console">
          <GateMark size={24} />
          <span className="brand-name">Sekisho</span>
          <span className="brand-kanji" lang="ja">
            関所
          </span>
        </a>
        <nav aria-label={words.nav.label}>
          <PageLink href="/console" current={props.page === 'playground'} text={words.nav.playground} />
          <PageLink href="/docs" current={props.page === 'reference'} text={words.nav.reference} />
        </nav>
        <div className="bar-end">
          {props.keyHeld === undefined ? null : (
            <span className="key-held">
              <code>{props.keyHeld.hint}</code>
              <button
                type="button"
                className="quiet forget"
                aria-label={words.settings.forgetKey}
                title={words.settings.forgetKey}
                onClick={props.keyHeld.forget}
              >
                <span>{words.settings.forgetKey}</span>
                <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
                  <path d="M10 5H5v14h5M14 8l4 4-4 4M18 12H9" />
                </svg>
              </button>
            </span>
          )}
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {props.children}
      </main>
    </>
  );
}

function PageLink(props: { href: string; current: boolean; text: string }): ReactNode {
  return (
    <a href={props.href} {...(props.current ? { 'aria-current': 'page' as const } : {})}>
      {props.text}
    </a>
  );
}

function LanguageSwitch(): ReactNode {
  const { language, words, choose } = useLanguage();
  return (
    <div className="switch" role="group" aria-label={words.settings.language}>
      {LANGUAGES.map((each) => (
        <button key={each} type="button" lang={each} aria-pressed={each === language} onClick={() => choose(each)}>
          {LANGUAGE_NAMES[each]}
        </button>
      ))}
    </div>
  );
}

function ThemeSwitch(): ReactNode {
  const { words } = useLanguage();
  const [theme, setTheme] = useState<Theme>(preferredTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  const label = `${words.settings.theme}: ${words.settings[theme]}`;
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" data-theme-icon={theme}>
        <path d={THEME_ICONS[theme]} />
        {theme === 'system' ? <path className="filled" d="M12 4a8 8 0 0 1 0 16z" /> : null}
      </svg>
    </button>
  );
}
