import { useEffect, useState, type ReactNode } from 'react';

/** Copies a text and says so for two seconds. Without a clipboard (plain http elsewhere) it is not drawn. */
export function CopyButton(props: { text: string; label: string; copied: string }): ReactNode {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  if (!('clipboard' in navigator)) return null;
  const copy = () => {
    navigator.clipboard.writeText(props.text).then(
      () => setDone(true),
      () => setDone(false),
    );
  };
  return (
    <button type="button" className="quiet" onClick={copy}>
      <span aria-live="polite">{done ? props.copied : props.label}</span>
    </button>
  );
}
