import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { preferredLanguage, rememberLanguage } from '../preferences.ts';
import { english } from './english.ts';
import { japanese } from './japanese.ts';
import type { Language, Words } from './words.ts';

const DICTIONARIES: Readonly<Record<Language, Words>> = { en: english, ja: japanese };

interface LanguageState {
  language: Language;
  words: Words;
  choose: (language: Language) => void;
}

const LanguageContext = createContext<LanguageState | undefined>(undefined);

/** Holds the language of the page and keeps `<html lang>` in step with it. */
export function LanguageProvider(props: { children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState<Language>(preferredLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const state = useMemo(
    () => ({
      language,
      words: DICTIONARIES[language],
      choose: (next: Language) => {
        rememberLanguage(next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <LanguageContext value={state}>{props.children}</LanguageContext>;
}

export function useLanguage(): LanguageState {
  const state = useContext(LanguageContext);
  if (state === undefined) throw new Error('useLanguage stands outside LanguageProvider');
  return state;
}
