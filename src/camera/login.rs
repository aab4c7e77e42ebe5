//! The name and password a camera asks for, kept in a file of its own.
//!
//! Answers a server's challenge, Basic or Digest, by the crate `http-auth`. Never shows a password,
//! and sends none that was not asked for.

use std::path::{Path, PathBuf};

use http_auth::{PasswordClient, PasswordParams};

/// The longest file that is read, bytes.
const LONGEST: u64 = 1024;

/// A name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    file: PathBuf,
    user: String,
    password: String,
}

/// A file that holds no login, or not safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// It can't be read.
    #[error("{} can't be read ({why}); write `user:password` into it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Others may read it.
    #[error("{} may be read by others: `chmod 600 {}`", .0.display(), .0.display())]
    Open(PathBuf),
    /// It holds something else.
    #[error("{} must hold one line `user:password`", .0.display())]
    Content(PathBuf),
}

impl Login {
    /// Reads one line `user:password` from a file that nobody else may read.
    ///
    /// # Errors
    /// One line with the file and what to do.
    pub fn read(path: &Path) -> Result<Login, LoginError> {
        use std::io::Read;
        use std::os::unix::fs::PermissionsExt;
        let unreadable = |error: std::io::Error| LoginError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(LoginError::Open(path.to_owned()));
        }
        let mut text = String::new();
        let read = file.take(LONGEST).read_to_string(&mut text);
        read.map_err(unreadable)?;
        let content = || LoginError::Content(path.to_owned());
        let line = text.trim_end_matches(['\n', '\r']);
        let (user, password) = line.split_once(':').ok_or_else(content)?;
        if user.is_empty() || line.chars().any(char::is_control) {
            return Err(content());
        }
        Ok(Login {
            file: path.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// The file it was read from.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The `Authorization` for a GET of `path`, in answer to the `WWW-Authenticate` of `challenges`;
    /// `None` when none of them is Basic or Digest.
    pub(super) fn answer<'a>(
        &self,
        challenges: impl Iterator<Item = &'a str>,
        path: &str,
    ) -> Option<String> {
        let mut builder = PasswordClient::builder();
        for challenge in challenges {
            builder = builder.challenges(challenge);
        }
        let asked = PasswordParams {
            username: &self.user,
            password: &self.password,
            uri: path,
            method: "GET",
            body: Some(&[]),
        };
        builder.build().ok()?.respond(&asked).ok()
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("file", &self.file)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> Result<Login, LoginError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("camera.login");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Login::read(&path)
    }

    #[test]
    fn a_login_is_read_from_a_file_of_ones_own_alone() {
        let login = written("root:pa:ss\n", 0o600).unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.as_str()),
            ("root", "pa:ss")
        );
        assert!(matches!(
            written("root:pass", 0o644),
            Err(LoginError::Open(_))
        ));
        for wrong in ["", "root", ":pass", "root:pass\nroot:pass"] {
            assert!(
                matches!(written(wrong, 0o600), Err(LoginError::Content(_))),
                "{wrong:?}"
            );
        }
        let absent = Login::read(Path::new("/nowhere/camera.login")).unwrap_err();
        assert!(absent.to_string().contains("user:password"), "{absent}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let login = written("root:secret", 0o600).unwrap();
        assert!(!format!("{login:?}").contains("secret"));
    }

    #[test]
    fn a_basic_challenge_is_answered_as_the_standard_has_it() {
        // RFC 7617, section 2.
        let login = written("Aladdin:open sesame", 0o600).unwrap();
        let answer = login.answer(["Basic realm=\"WallyWorld\""].into_iter(), "/x");
        assert_eq!(
            answer.as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(login.answer(["Bearer realm=\"x\""].into_iter(), "/x"), None);
    }
}
