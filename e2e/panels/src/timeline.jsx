// A state timeline, for @grafana/ui has none: a row for each series, a bar for
// as long as its value stays the same.
import React from 'react';
import { getFieldDisplayName } from '@grafana/data';

// bars joins equal values that follow one another.
function bars(values) {
  const out = [];
  values.forEach((value, i) => {
    const last = out.at(-1);
    if (last && last.value === value) last.end = i + 1;
    else out.push({ value, start: i, end: i + 1 });
  });
  return out.filter((b) => b.value !== null);
}

export function Timeline({ frames, width, height }) {
  const rows = frames.map((frame) => ({ field: frame.fields[1], name: getFieldDisplayName(frame.fields[1], frame, frames), length: frame.length }));
  const names = Math.min(width / 3, 8 * Math.max(...rows.map((r) => r.name.length)));
  const room = (height - 30) / rows.length;
  const shown = new Map();
  for (const { field } of rows) for (const v of field.values) if (v !== null) shown.set(v, field.display(v));
  return (
    <div style={{ position: 'relative', width, height, font: '12px Inter, sans-serif' }}>
      {rows.map(({ field, name, length }, y) => (
        <div key={name} style={{ position: 'absolute', top: y * room, height: room * 0.8, width }}>
          <span style={{ position: 'absolute', width: names - 8, textAlign: 'right', overflow: 'hidden', whiteSpace: 'nowrap' }}>{name}</span>
          {bars(field.values).map(({ value, start, end }) => {
            const { text, color } = field.display(value);
            const step = (width - names) / length;
            return <span key={start} className="state" style={{ position: 'absolute', left: names + start * step, width: (end - start) * step, height: '100%', background: color, color: '#000', overflow: 'hidden', paddingLeft: 4 }}>{text}</span>;
          })}
        </div>
      ))}
      <div style={{ position: 'absolute', bottom: 0, left: names }}>
        {[...shown].sort(([a], [b]) => a - b).map(([value, { text, color }]) => <span key={value} style={{ marginRight: 12 }}><span style={{ color }}>■</span> {text}</span>)}
      </div>
    </div>
  );
}
