// One panel, drawn by the kind that it is of.
import React from 'react';
import { getDisplayValueAlignmentFactors, getFieldDisplayValues, toUtc } from '@grafana/data';
import { BigValue, PanelChrome, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { Timeline } from './timeline';

function Numbers({ panel, frames, width, height, theme }) {
  const values = getFieldDisplayValues({
    data: frames, fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: (text) => text, theme, timeZone: 'utc',
  });
  const factors = getDisplayValueAlignmentFactors(values);
  return (
    <div style={{ display: 'flex', gap: 4 }}>
      {values.map(({ display, name }, i) => (
        <BigValue key={i} theme={theme} width={width / values.length - 4} height={height} count={values.length} alignmentFactors={factors}
          value={values.length > 1 ? { ...display, title: display.title ?? name } : { ...display, title: undefined }}
          colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode="auto" textMode="auto" />
      ))}
    </div>
  );
}

// marks draws a line where an alert began to fire.
function marks(builder, times) {
  builder.addHook('draw', (u) => {
    u.ctx.save();
    u.ctx.setLineDash([4, 4]);
    u.ctx.strokeStyle = '#D55E00';
    for (const t of times) {
      const x = Math.round(u.valToPos(t, 'x', true));
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
    }
    u.ctx.restore();
  });
  return null;
}

function Content({ panel, frames, width, height, theme, page, alerts }) {
  if (panel.type === 'stat') return <Numbers {...{ panel, frames, width, height, theme }} />;
  if (frames.every((frame) => frame.length === 0)) return <div className="empty">{panel.fieldConfig.defaults.noValue}</div>;
  if (panel.type === 'table') {
    return <TableNG data={frames[0]} width={width} height={height} sortBy={panel.options.sortBy} cellHeight={panel.options.cellHeight}
      fieldConfig={panel.fieldConfig} structureRev={1} enableVirtualization={false} noValue="" />;
  }
  if (panel.type === 'state-timeline') return <Timeline frames={frames} width={width} height={height} />;
  const [from, to] = [toUtc(page.from * 1000), toUtc(page.to * 1000)];
  return <TimeSeries frames={frames} structureRev={1} width={width} height={height} timeRange={{ from, to, raw: { from, to } }} timeZone="utc"
    legend={{ ...panel.options.legend, calcs: [] }} options={panel.options}>{(builder) => marks(builder, alerts)}</TimeSeries>;
}

export function Panel(props) {
  const { panel, width, height, error } = props;
  return (
    <PanelChrome title={panel.title} width={width} height={height} padding={panel.type === 'table' ? 'none' : 'md'}>
      {(innerWidth, innerHeight) => error
        ? <pre className="failed">{error}</pre>
        : <Content {...props} width={innerWidth} height={innerHeight} />}
    </PanelChrome>
  );
}
