//! Looks at one medium and prints what it saw; started by wendyd for each medium, see
//! `wendyd::probe`.

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match wendyd::probe::helper::run(&arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wendy-probe: {error:#}");
            wendyd::probe::helper::exit_code(&error).into()
        }
    }
}
