// A dashboard as Grafana lays it out. The address says which one, over which
// time and with which values of variables. When all is drawn, window.drawn
// says what each panel has.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { Panel } from './panel';
import { prepare, series } from './prepare';

const bad = 'rgb(213, 94, 0)'; // as the dashboards fill what somebody has to see to
const cell = 30, gap = 8, edge = 16, top = 72;

class Fence extends React.Component {
  state = {};
  static getDerivedStateFromError(error) { return { error: String(error?.stack ?? error) }; }
  render() { return this.state.error ? <pre className="failed">{this.state.error}</pre> : this.props.children; }
}

// beginnings are the times at which alerts begin to fire.
async function beginnings(dashboard, page) {
  const found = await Promise.all((dashboard.annotations?.list ?? []).filter((a) => a.target?.expr).map((a) => series(a.target.expr, page)));
  return found.flat().map((alert) => alert.values[0][0] * 1000).filter((t) => t > page.from * 1000);
}

function Page({ dashboard, page, theme, drawn, alerts }) {
  const column = (window.innerWidth - 2 * edge + gap) / 24;
  const bottom = Math.max(...drawn.map(({ panel: { gridPos: p } }) => p.y + p.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <header>
        <h1>{dashboard.title}</h1>
        {Object.entries(page.shown).map(([name, value]) => <span key={name}>{name} <b>{value}</b></span>)}
      </header>
      <main style={{ position: 'relative', height: bottom * (cell + gap) }}>
        {drawn.map(({ panel, frames, error }) => {
          const { x, y, w, h } = panel.gridPos;
          const place = { position: 'absolute', left: edge + x * column, top: y * (cell + gap) };
          if (panel.type === 'row') return <h2 key={panel.id} style={place}>{panel.title}</h2>;
          const size = { width: w * column - gap, height: h * (cell + gap) - gap };
          return <div key={panel.id} id={`panel-${panel.id}`} style={place}><Fence><Panel {...{ panel, frames, error, theme, page, alerts, ...size }} /></Fence></div>;
        })}
      </main>
    </ThemeContext.Provider>
  );
}

const style = `body { margin: 0; background: #111217; color: #ccccdc; font-family: Inter, Roboto, Helvetica, Arial, sans-serif; font-size: 14px; }
header { height: ${top}px; box-sizing: border-box; padding: 22px ${edge}px; display: flex; gap: 24px; align-items: baseline; }
h1 { font-size: 20px; margin: 0; } h2 { font-size: 16px; margin: 6px 0; } .failed { color: #f55; white-space: pre-wrap; font-size: 11px; }
.empty { height: 100%; display: flex; align-items: center; justify-content: center; color: #9090a0; }`;

async function draw() {
  const parameters = new URLSearchParams(location.search);
  const page = JSON.parse(parameters.get('page'));
  const dashboard = await (await fetch(`dashboards/${parameters.get('dashboard')}.json`)).json();
  const theme = createTheme({ colors: { mode: 'dark' } });
  const drawn = await Promise.all(dashboard.panels.map(async (panel) => {
    if (panel.type === 'row') return { panel };
    try {
      return { panel, frames: await prepare(panel, page, theme) };
    } catch (error) {
      return { panel, frames: [], error: String(error?.stack ?? error) };
    }
  }));
  document.head.append(Object.assign(document.createElement('style'), { textContent: style }));
  const alerts = await beginnings(dashboard, page);
  createRoot(document.getElementById('page')).render(<Page {...{ dashboard, page, theme, drawn, alerts }} />);
  await new Promise((done) => setTimeout(done, 1500));
  window.drawn = drawn.filter(({ panel }) => panel.type !== 'row').map(({ panel, frames, error }) => ({
    title: panel.title, type: panel.type, error: error ?? document.querySelector(`#panel-${panel.id} .failed`)?.textContent ?? '',
    series: frames.filter((f) => f.length > 0).length, text: document.getElementById(`panel-${panel.id}`).innerText,
    bad: [...document.querySelectorAll(`#panel-${panel.id} *`)].some((e) => getComputedStyle(e).backgroundColor === bad), marks: alerts.length,
  }));
}

draw().catch((error) => { window.drawn = [{ title: 'the page', error: String(error?.stack ?? error), text: '' }]; });
