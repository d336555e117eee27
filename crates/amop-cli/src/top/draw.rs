//! How the screen looks.

use std::time::{Duration, SystemTime};

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, Widget};

use crate::cert::left;
use crate::look::show::age;
use crate::text::printable;

use super::screen::{Screen, View};
use super::table::{bytes, rows};

/// Draws it on a terminal.
pub(crate) fn on(frame: &mut Frame<'_>, screen: &Screen, now: SystemTime) {
    draw(screen, now, frame.area(), frame.buffer_mut());
}

/// Draws it as lines, all tables below each other.
pub(crate) fn lines(screen: &Screen, now: SystemTime) -> Vec<String> {
    let mut lines = drawn(HEAD_LINES, |area, buffer| {
        Paragraph::new(head(screen, now)).render(area, buffer);
    });
    for view in View::ALL {
        let of_view = Screen { view, sorted: (0, false), ..screen.clone() };
        let count = u16::try_from(rows(&of_view, now).len()).unwrap_or(u16::MAX - 1);
        lines.push(String::new());
        lines.extend(drawn(count + 1, |area, buffer| table(&of_view, now).render(area, buffer)));
    }
    lines
}

fn drawn(height: u16, draw: impl FnOnce(Rect, &mut Buffer)) -> Vec<String> {
    let area = Rect::new(0, 0, LINE_COLUMNS, height);
    let mut buffer = Buffer::empty(area);
    draw(area, &mut buffer);
    let row = |y| -> String { (0..LINE_COLUMNS).map(|x| buffer[(x, y)].symbol()).collect() };
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn draw(screen: &Screen, now: SystemTime, area: Rect, buffer: &mut Buffer) {
    let parts = [Constraint::Length(HEAD_LINES + 1), Constraint::Length(1), Constraint::Min(1)];
    let parts = Layout::vertical([parts[0], parts[1], parts[2], Constraint::Length(1)]);
    let [above, tabs, middle, below] = parts.areas(area);
    Paragraph::new(head(screen, now)).render(above, buffer);
    Line::from(titles(screen)).render(tabs, buffer);
    table(screen, now).render(middle, buffer);
    foot(screen).render(below, buffer);
    if screen.shows_help {
        help(area, buffer);
    }
}

/// The node as a whole.
fn head(screen: &Screen, now: SystemTime) -> Vec<Line<'static>> {
    let (node, rates) = (&screen.sample.node, &screen.rates);
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(node.certified_until);
    let state = match node.state.as_str() {
        "serving" => node.state.clone().green(),
        _ => node.state.clone().red().bold(),
    };
    let failed = |(code, rate): (&u8, &f64)| (*code != 0).then(|| format!("{code}: {rate:.1}/s"));
    let failed: Vec<String> = rates.outcomes.iter().filter_map(failed).collect();
    let [received, sent] = [0, 1].map(|way| chart(screen.history.iter().map(|rates| rates[way])));
    vec![
        Line::from(vec![
            node.name.clone().bold(),
            "  ".into(),
            state,
            format!("  up {}  amop {}", age(node.uptime_seconds), node.version).into(),
        ]),
        Line::from(format!(
            "peers {} ({} of {} to dial)   clients {}   topics {}   under way {}   certificate {}",
            node.peers,
            node.peers_configured_up,
            node.peers_configured,
            node.clients,
            node.topics_here,
            node.under_way,
            left(ends, now)
        )),
        Line::from(format!(
            "in    clients {:.0}/s {}/s   peers {:.0}/s {}/s  {received}",
            rates.clients.received,
            bytes(rates.clients.received_bytes),
            rates.peers.received,
            bytes(rates.peers.received_bytes)
        )),
        Line::from(format!(
            "out   clients {:.0}/s {}/s   peers {:.0}/s {}/s  {sent}",
            rates.clients.sent,
            bytes(rates.clients.sent_bytes),
            rates.peers.sent,
            bytes(rates.peers.sent_bytes)
        )),
        Line::from(format!(
            "ends  good {:.1}/s   {}   not believed {}, untrue {} since start",
            rates.outcomes.get(&0).copied().unwrap_or_default(),
            if failed.is_empty() { "no errors".to_owned() } else { failed.join("  ") },
            node.counts.refused_announcements,
            node.counts.refused_messages
        )),
    ]
}

/// A bar for each rate, of which the greatest is the highest.
fn chart(rates: impl Iterator<Item = f64> + Clone) -> String {
    let greatest = rates.clone().fold(1.0, f64::max);
    let bar = |rate: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let height = (rate / greatest * 7.0).round() as usize;
        BARS[height.min(7)]
    };
    rates.map(bar).collect()
}

fn titles(screen: &Screen) -> Vec<Span<'static>> {
    let title = |(number, view): (usize, View)| {
        let style = match view == screen.view {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        [Span::styled(format!("[{}]{}", number + 1, view.title()), style), Span::raw(" ")]
    };
    View::ALL.into_iter().enumerate().flat_map(title).collect()
}

fn table(screen: &Screen, now: SystemTime) -> Table<'static> {
    let columns = screen.view.columns();
    let rows = rows(screen, now);
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].text.chars().count());
        // The sign behind the column that is sorted by has room too.
        let widest = cells.max().unwrap_or_default().max(columns[column].chars().count() + 1);
        Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX))
    };
    let title = |(number, title): (usize, &&str)| match screen.sorted {
        (column, false) if column == number => format!("{title}▾"),
        (column, true) if column == number => format!("{title}▴"),
        _ => (*title).to_owned(),
    };
    let head = Row::new(columns.iter().enumerate().map(title)).bold();
    let widths: Vec<Constraint> = (0..columns.len()).map(width).collect();
    let row = |row: Vec<super::table::Cell>| {
        let is_down = row.iter().any(|cell| cell.text.starts_with("down"));
        let style = if is_down { Style::new().fg(Color::Red) } else { Style::new() };
        Row::new(row.into_iter().map(|cell| cell.text)).style(style)
    };
    Table::new(rows.into_iter().map(row), widths).header(head).column_spacing(1)
}

fn foot(screen: &Screen) -> Line<'static> {
    match &screen.missed {
        Some(why) => format!("no answer: {}", printable(why.as_bytes())).red().into(),
        None if screen.is_paused => "paused: p goes on".bold().into(),
        None => "1-4 tab: table   s: sort   r: reverse   p: pause   ?: help   q: quit".dim().into(),
    }
}

fn help(area: Rect, buffer: &mut Buffer) {
    let height = u16::try_from(HELP.lines().count()).expect("it is short") + 2;
    let area = area.centered(Constraint::Length(HELP_COLUMNS), Constraint::Length(height));
    Clear.render(area, buffer);
    Paragraph::new(HELP).block(Block::bordered().title(" amop top ")).render(area, buffer);
}

const HELP: &str = "\
1 2 3 4   peers, clients, outcomes, certificates
tab       the next of them
s         sort by the next column
r         the other way round
p, space  stand still, go on
?, h      this help
q, Esc    leave

Rates are of the last look, bars of the last
minute. Bytes of links are those of UDP.";

const HELP_COLUMNS: u16 = 52;

const HEAD_LINES: u16 = 5;

/// Of what is not drawn on a terminal: as wide as it must be, for no line is cut.
const LINE_COLUMNS: u16 = 240;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::sample::tests::sample;
    use super::super::terminal::Key;
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// After two seconds in which things moved.
    fn screen() -> Screen {
        let start = crate::clock::moment();
        let mut screen = Screen::new(sample(start, 10));
        screen.see(sample(start + Duration::from_secs(2), 30));
        screen
    }

    /// What stands on a terminal of 100 columns.
    fn shown(screen: &Screen) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(100, 20)).unwrap();
        terminal.draw(|frame| on(frame, screen, now())).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| -> String { (0..100).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..20).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_node_is_on_one_screen_with_what_moves_and_who_is_missing() {
        let shown = shown(&screen());
        let expected = [
            "n1.node.bank-a.amop  serving  up 3d 4h  amop 0.1.0",
            "peers 1 (1 of 2 to dial)   clients 1   topics 41   under way 3   certificate 61 days left",
            "in    clients 20/s 20.0 KiB/s   peers 20/s 20.0 KiB/s  █",
            "out   clients 10/s 10.0 KiB/s   peers 10/s 10.0 KiB/s  █",
            "ends  good 100.0/s   102: 10.0/s   not believed 0, untrue 0 since start",
            "",
            "[1]peers [2]clients [3]outcomes [4]certificates",
            "PEER▾               FOR   RTT    IN/s     OUT/s    LOST/s  CERTIFICATE  STATE",
            "n1.node.bank-b.amop 1m 1s 0.4 ms 10.0 KiB 10.0 MiB 0.0     12 days left up",
            "n1.node.bank-c.amop              0 B      0 B      0.0                  down: no answer\\u{1b}[2J",
        ];
        assert_eq!(shown[..expected.len()], expected, "{shown:#?}");
        assert!(shown[19].starts_with("1-4 tab: table   s: sort"), "{}", shown[19]);
    }

    #[test]
    fn rows_are_sorted_by_the_chosen_column_from_the_greatest_on_or_from_the_least() {
        let mut screen = screen();
        let first = |screen: &Screen| shown(screen)[8].split(' ').next().unwrap().to_owned();
        for _ in 0..7 {
            screen.press(Key::Char('s'));
        }
        assert_eq!(first(&screen), "n1.node.bank-c.amop", "`down` comes before `up`");
        screen.press(Key::Char('r'));
        assert_eq!(first(&screen), "n1.node.bank-b.amop");
        screen.press(Key::Char('4'));
        screen.press(Key::Char('s'));
        let shown = shown(&screen);
        assert!(shown[7].starts_with("WHOSE") && shown[7].contains("ENDS▾"), "{}", shown[7]);
        assert!(
            shown[8].contains("12 days left") && shown[10].contains("61 days left"),
            "{shown:#?}"
        );
        screen.press(Key::Char('3'));
        assert_eq!(first(&screen), "0");
    }

    #[test]
    fn a_pause_a_help_and_a_node_that_is_gone_are_seen() {
        let mut screen = screen();
        screen.press(Key::Char('p'));
        assert_eq!(shown(&screen)[19], "paused: p goes on");
        screen.missed("no node can be asked at admin.sock".into());
        assert_eq!(shown(&screen)[19], "no answer: no node can be asked at admin.sock");
        screen.press(Key::Char('?'));
        let help = shown(&screen).join("\n");
        assert!(help.contains(" amop top ") && help.contains("q, Esc    leave"), "{help}");
    }

    #[test]
    fn as_lines_there_are_all_tables_and_nothing_is_cut() {
        let lines = lines(&screen(), now());
        for part in ["PEER▾", "CLIENT▾", "CODE▾", "WHOSE▾", "down: no answer", "(this node)"]
        {
            assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
        }
    }
}
