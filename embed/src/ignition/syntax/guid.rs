//! GUIDs as partition tables hold them: 8-4-4-4-12 hexadecimal digits, in either case.
//! Whether an empty one may stand is the field's rule.

/// The form, for messages.
pub const FORM: &str = "01234567-89AB-CDEF-EDCB-A98765432101";

/// Whether `text` is a GUID. The empty string, which means "none given", is not.
pub fn is_guid(text: &str) -> bool {
    text.len() == FORM.len()
        && text.bytes().zip(FORM.bytes()).all(|(byte, form)| {
            if form == b'-' {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_a_guid() {
        assert!(is_guid(FORM));
        assert!(is_guid("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"));
        for bad in [
            "",
            "c12a7328f81f11d2ba4b00a0c93ec93b",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93g",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n",
            "{12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "c12a7328-f81f-11d2-ba4b0-0a0c93ec93b",
        ] {
            assert!(!is_guid(bad), "{bad}");
        }
    }
}
