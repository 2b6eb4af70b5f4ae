import type { ReactNode } from 'react';

/** The mark: a gate across the road, and the traveller in it. */
export function GateMark(props: { size: number }): ReactNode {
  return (
    <svg className="gate-mark" width={props.size} height={props.size} viewBox="0 0 32 32" aria-hidden="true">
      <path d="M3 8c8.4 2 17.6 2 26 0M6.5 13.5h19M9.5 9.3V28M22.5 9.3V28" />
      <circle cx="16" cy="21.5" r="2.6" />
    </svg>
  );
}
