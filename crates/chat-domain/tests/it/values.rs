//! Values at the borders of what they allow.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{
    AgentId, AttachmentId, AvatarUrl, ByteRange, Content, DisplayName, FileName, Fingerprint, IdempotencyKey,
    KnownPeople, KnownPerson, MediaType, MessageId, PageLimit, PageNumber, Person, PersonClaims, PersonName, Priority,
    Role, SessionId, SessionPage, SessionPosition, Subject, Tags, Timestamp, UserId,
};
use proptest::prelude::*;
use time::OffsetDateTime;

/// Two bytes a character, so that counting bytes instead of characters is found out.
fn wide(characters: usize) -> String {
    "ä".repeat(characters)
}

#[test]
fn a_subject_has_up_to_200_characters_without_space_around_them() {
    let parsed = |text: &str| Subject::parse(text).unwrap().map(|subject| subject.as_str().to_owned());
    assert_eq!(parsed("  My order \t"), Some("My order".to_owned()));
    assert_eq!(parsed(&wide(200)), Some(wide(200)));
    assert_eq!(parsed(&format!(" {} ", wide(200))), Some(wide(200)), "counted after trimming");
    assert_eq!((parsed(""), parsed(" \n ")), (None, None));
    assert!(Subject::parse(&wide(201)).is_err());
    assert!(Subject::parse("a\0b").is_err());
}

#[test]
fn a_persons_name_has_1_to_100_characters_without_space_around_them() {
    assert_eq!(PersonName::parse(" Alice Liddell \n").unwrap().as_str(), "Alice Liddell");
    assert_eq!(PersonName::parse(&wide(100)).unwrap().as_str(), wide(100));
    for wrong in [wide(101), String::new(), " \t".to_owned(), "a\0b".to_owned()] {
        assert!(PersonName::parse(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_picture_is_at_a_url_with_https_that_has_a_host_and_no_user() {
    let with_length = |length: usize| format!("https://a.example/{}", "p".repeat(length - 18));
    for right in ["https://a", "HTTPS://a.example:8443/b%20c?d=e&f=[g]#h", "https://[::1]/a@b", &with_length(2_048)] {
        assert_eq!(AvatarUrl::parse(right).unwrap().as_str(), right);
    }
    let wrong = [
        "",
        "a",
        "https:/",
        "https://",
        "https:///a",
        "https://:443/",
        "https://?a",
        "http://a.example/",
        "data:image/png,a",
        "javascript:alert(1)//https://",
        " https://a.example",
        "https://a.example/b c",
        "https://a.example/\u{a0}",
        "https://ä.example",
        "https://a.example/\"onerror=",
        "https://u:p@a.example/",
        "https://a.example/<b>",
        "é",
    ];
    for wrong in wrong {
        assert!(AvatarUrl::parse(wrong).is_err(), "{wrong:?}");
    }
    assert!(AvatarUrl::parse(&with_length(2_049)).is_err());
}

#[test]
fn token_claims_change_a_person_unless_they_are_older_or_equal() {
    let alice = || UserId::parse("alice").unwrap();
    let claims = |name: &str, url: Option<&str>, at: i64| PersonClaims {
        id: alice(),
        name: PersonName::parse(name).ok(),
        avatar_url: url.and_then(|url| AvatarUrl::parse(url).ok()),
        as_of: Timestamp::from_unix_ms(at),
    };
    let nothing = KnownPerson::new(alice(), None, None);
    assert!(nothing.shown().is_anonymous());
    let known = nothing.after(&claims("Alice", Some("https://a"), 10)).unwrap();
    assert_eq!(known.shown().name.as_ref().map(PersonName::as_str), Some("Alice"));
    for same in [claims("Alice", Some("https://a"), 20), claims("Alice", None, 20), claims("", Some("https://a"), 20)] {
        assert_eq!(known.after(&same), None, "{same:?}");
    }
    assert_eq!(known.after(&claims("Alicia", None, 9)), None, "an older token");
    let renamed = known.after(&claims("Alicia", None, 10)).unwrap();
    assert_eq!(renamed.claims(), Some(&claims("Alicia", Some("https://a"), 10)), "the picture stays");
    let agent = KnownPerson::new(alice(), None, DisplayName::parse("Alice of sales").ok());
    let agent = agent.after(&claims("Alice", None, 1)).unwrap();
    assert_eq!(agent.shown().name.as_ref().map(PersonName::as_str), Some("Alice of sales"));
}

#[test]
fn people_are_found_by_id_and_those_of_whom_nothing_is_known_are_left_out() {
    let person = |id: &str, name: &str| {
        let id = UserId::parse(id).unwrap();
        Arc::new(Person { id, name: PersonName::parse(name).ok(), avatar_url: None })
    };
    let people = KnownPeople::new([person("c", "C"), person("a", "A"), person("b", ""), person("c", "C")]);
    let found = |id: &str| people.find(&UserId::parse(id).unwrap()).and_then(|person| person.name.clone());
    assert_eq!(people.iter().count(), 2);
    assert_eq!((found("a"), found("b")), (PersonName::parse("A").ok(), None));
    assert_eq!((found("c"), found("d")), (PersonName::parse("C").ok(), None));
    assert!(KnownPeople::new([person("b", "")]).is_empty());
}

#[test]
fn tags_are_trimmed_and_kept_once_in_their_first_order() {
    let tags = Tags::parse([" b ", "a", "b", "A"]).unwrap();
    assert_eq!(tags.as_slice(), ["b", "a", "A"]);
    assert_eq!(Tags::parse(Vec::<String>::new()).unwrap(), Tags::default());
}

#[test]
fn there_are_up_to_20_different_tags_of_up_to_50_characters() {
    let numbered = |count: u32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(Tags::parse(numbered(20)).unwrap().as_slice().len(), 20);
    assert!(Tags::parse(numbered(21)).is_err());
    let repeated: Vec<String> = numbered(20).into_iter().chain(numbered(20)).collect();
    assert!(Tags::parse(repeated).is_ok(), "repetitions do not count");
    assert!(Tags::parse([wide(50)]).is_ok());
    for wrong in [wide(51), String::new(), " ".to_owned(), "a\0".to_owned()] {
        assert!(Tags::parse([wrong.as_str()]).is_err(), "{wrong:?}");
    }
}

#[test]
fn content_has_up_to_10000_characters_and_is_kept_as_it_is() {
    let text = " \r\n\u{202e}e\u{301}\u{ffff} ".to_owned();
    assert_eq!(Content::parse(text.clone(), false).unwrap().as_str(), text);
    assert!(Content::parse(wide(10_000), false).is_ok());
    assert!(Content::parse(wide(10_001), true).is_err());
    assert!(Content::parse("x".repeat(10_001), true).is_err());
    assert!(Content::parse("a\0b".to_owned(), true).is_err());
}

#[test]
fn content_is_blank_only_beside_an_attachment() {
    for blank in ["", " ", "\u{2003}\n"] {
        assert!(Content::parse(blank.to_owned(), false).is_err(), "{blank:?}");
        assert_eq!(Content::parse(blank.to_owned(), true).unwrap().as_str(), blank);
    }
}

#[test]
fn a_persons_id_has_1_to_128_characters_and_no_control_characters() {
    for right in ["a".to_owned(), wide(128), "auth0|5f 🦀'\"".to_owned()] {
        assert_eq!(UserId::parse(&right).unwrap().as_str(), right);
        assert_eq!(AgentId::parse(&right).unwrap().as_str(), right);
    }
    for wrong in [String::new(), wide(129), "a\0".to_owned(), "a\nb".to_owned(), "a\u{85}".to_owned()] {
        assert!(UserId::parse(&wrong).is_err() && AgentId::parse(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_agent_is_the_person_of_the_same_id() {
    let user = UserId::parse("bob").unwrap();
    let agent = AgentId::from(&user);
    assert!(agent == user);
    assert_eq!(UserId::from(&agent), user);
}

#[test]
fn a_display_name_has_1_to_100_characters() {
    assert_eq!(DisplayName::parse(" Bob ").unwrap().as_str(), "Bob");
    assert!(DisplayName::parse(&wide(100)).is_ok());
    for wrong in [String::new(), "  ".to_owned(), wide(101), "a\0".to_owned()] {
        assert!(DisplayName::parse(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_idempotency_key_has_1_to_128_visible_ascii_characters() {
    let visible: String = ('!'..='~').collect();
    for right in ["k".to_owned(), "k".repeat(128), visible] {
        assert_eq!(IdempotencyKey::parse(&right).unwrap().as_str(), right);
    }
    for wrong in [String::new(), "k".repeat(129), "a b".to_owned(), "ä".to_owned(), "a\u{7f}".to_owned()] {
        assert!(IdempotencyKey::parse(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn different_lists_of_parts_have_different_fingerprints() {
    let nothing: Option<&str> = None;
    let fingerprints = [
        Fingerprint::builder().finish(),
        Fingerprint::builder().part("").finish(),
        Fingerprint::builder().part("ab").finish(),
        Fingerprint::builder().part("a").part("b").finish(),
        Fingerprint::builder().part("").part("ab").finish(),
        Fingerprint::builder().optional(nothing).finish(),
        Fingerprint::builder().optional(Some("")).finish(),
    ];
    for (n, one) in fingerprints.iter().enumerate() {
        assert!(fingerprints.iter().skip(n + 1).all(|other| other != one), "number {n}");
        assert_eq!(Fingerprint::from_bytes(*one.as_bytes()), *one);
    }
    assert_eq!(Fingerprint::builder().part("ab").finish(), Fingerprint::builder().part(b"ab").finish());
}

#[test]
fn a_media_type_is_lower_case_and_keeps_only_the_charset_of_a_text() {
    let parsed = |text| MediaType::parse(text).map(|media_type| media_type.to_string());
    assert_eq!(parsed("Image/PNG"), Some("image/png".to_owned()));
    assert_eq!(parsed(" text/plain ; charset=utf-8"), Some("text/plain".to_owned()));
    let utf16 = Some("text/csv; charset=utf-16".to_owned());
    assert_eq!(parsed("text/CSV; header=present; Charset=\"UTF-16\""), utf16);
    assert_eq!(parsed("text/csv; charset=utf-16"), utf16, "as it is stored");
    assert_eq!(parsed("text/plain; charset="), Some("text/plain".to_owned()));
    assert_eq!(parsed("text/plain; charset=a\r\nb"), Some("text/plain".to_owned()));
    assert_eq!(parsed("image/png; charset=utf-16"), Some("image/png".to_owned()));
    let parts =
        |text| MediaType::parse(text).map(|kind| (kind.essence().to_owned(), kind.charset().map(str::to_owned)));
    assert_eq!(parts("text/csv; charset=utf-16"), Some(("text/csv".to_owned(), Some("utf-16".to_owned()))));
    assert_eq!(parts("image/png"), Some(("image/png".to_owned(), None)));
    assert_eq!(parsed("application/vnd.api+json"), Some("application/vnd.api+json".to_owned()));
    assert_eq!(MediaType::octet_stream().as_str(), "application/octet-stream");
    let too_long = format!("a/{}", "b".repeat(99));
    for wrong in ["", "image", "image/", "/png", "a/b/c", "a b/c", "a/b\r\nX: y", "ä/b", "*/*", too_long.as_str()] {
        assert_eq!(parsed(wrong), None, "{wrong:?}");
    }
    assert!(MediaType::parse(&format!("a/{}", "b".repeat(98))).is_some());
}

#[test]
fn a_file_name_loses_its_path_and_what_is_unsafe() {
    let cases = [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../..", "file"),
        ("C:\\Users\\x\\scan 1.pdf", "scan 1.pdf"),
        (".htaccess", ".htaccess"),
        (".", "file"),
        ("...", "file"),
        ("", "file"),
        ("a\r\nSet-Cookie: x\".txt", "aSet-Cookie: x.txt"),
        ("exe\u{202e}gpj.txt", "exegpj.txt"),
        ("Фото 1 🦀.png", "Фото 1 🦀.png"),
        ("a/", "file"),
    ];
    for (claimed, safe) in cases {
        assert_eq!(FileName::sanitize(claimed).as_str(), safe, "{claimed:?}");
    }
    assert_eq!(FileName::sanitize(&wide(200)).as_str(), wide(127), "cut between characters");
}

#[test]
fn a_file_name_has_no_white_space_around_it_and_keeps_its_dots() {
    for (claimed, kept) in [(" a.txt\t", "a.txt"), (" . ", "file"), (" .a.txt", ".a.txt"), ("... a.txt", "... a.txt")] {
        assert_eq!(FileName::sanitize(claimed).as_str(), kept, "{claimed:?}");
    }
}

#[test]
fn a_long_file_name_keeps_its_extension_and_whole_characters() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let cut = |claimed: &str| FileName::sanitize(claimed).as_str().to_owned();
    assert_eq!(cut(&format!("{}.pdf", "x".repeat(300))), format!("{}.pdf", "x".repeat(251)));
    assert_eq!(cut(&format!("{}.pdf", wide(200))), format!("{}.pdf", wide(125)));
    // 18 bytes each: 13 and the extension are 238 bytes, 14 would be 256.
    assert_eq!(cut(&format!("{}.pdf", family.repeat(20))), format!("{}.pdf", family.repeat(13)));
    assert_eq!(cut(&format!("e{}.pdf", "e\u{301}".repeat(100))), format!("e{}.pdf", "e\u{301}".repeat(83)));
    assert_eq!(cut(&format!("a{}.pdf", "\u{301}".repeat(300))), "file.pdf", "one character of 601 bytes");
    assert_eq!(cut(&format!("{} .tar.gz", "x".repeat(248))), format!("{}.tar.gz", "x".repeat(248)));
    assert_eq!(cut(&format!("{} y.pdf", "x".repeat(250))), format!("{}.pdf", "x".repeat(250)), "no space at the cut");
    let longest = "y".repeat(32);
    assert_eq!(cut(&format!("{}.{longest}", "x".repeat(300))), format!("{}.{longest}", "x".repeat(222)));
    assert_eq!(cut(&format!("{}.{longest}y", "x".repeat(300))), "x".repeat(255));
    assert_eq!(cut(&format!("a.{}", "x".repeat(300))), format!("a.{}", "x".repeat(253)), "too long for an extension");
    assert_eq!(cut(&format!("a. {}", "x".repeat(300))).len(), 255);
    assert_eq!(cut(&format!("{} a", ".".repeat(300))), "file");
    assert_eq!(cut(&format!("{}.", "x".repeat(300))), "x".repeat(255));
}

/// Text with a good share of the characters that file names must lose.
fn awkward_text() -> impl Strategy<Value = String> {
    let awkward = proptest::char::ranges(
        vec!['\0'..='/', '\\'..='\\', '\u{7f}'..='\u{a0}', '\u{200e}'..='\u{202f}', '\u{2060}'..='\u{206f}'].into(),
    );
    let character = prop_oneof![3 => awkward, 1 => Just('.'), 2 => any::<char>()];
    proptest::collection::vec(character, 0..300).prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #[test]
    fn a_file_name_is_always_safe(claimed in awkward_text()) {
        let name = FileName::sanitize(&claimed);
        let name = name.as_str();
        prop_assert!((1..=255).contains(&name.len()), "{} bytes", name.len());
        let unsafe_character = |c: char| {
            c.is_control()
                || matches!(c, '/' | '\\' | '"' | '\u{61c}' | '\u{200e}' | '\u{200f}')
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        prop_assert!(!name.contains(unsafe_character), "{:?}", name);
        prop_assert!(name != "." && name != "..");
    }

    #[test]
    fn a_safe_file_name_stays_as_it_is(claimed in awkward_text()) {
        let once = FileName::sanitize(&claimed);
        prop_assert_eq!(FileName::sanitize(once.as_str()), once);
    }

    #[test]
    fn content_accepts_exactly_what_the_rules_say(text in "[ a\0ä]{0,12}", has_attachments: bool) {
        let right = !text.contains('\0') && (has_attachments || !text.trim().is_empty());
        prop_assert_eq!(Content::parse(text, has_attachments).is_ok(), right);
    }

    #[test]
    fn a_moment_survives_text_and_the_calendar(ms in -62_167_219_200_000_i64..=253_402_300_799_999) {
        let moment = Timestamp::from_unix_ms(ms);
        prop_assert_eq!(moment.unix_ms(), ms);
        prop_assert_eq!(Timestamp::from(OffsetDateTime::from(moment)), moment);
        let text = moment.to_string();
        prop_assert_eq!(text.len(), "2026-01-31T09:05:00.120Z".len());
        let read = OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339).unwrap();
        prop_assert_eq!(Timestamp::from(read), moment);
    }

    #[test]
    fn finer_parts_of_a_moment_are_cut_off(nanos in any::<i64>()) {
        let exact = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap();
        let moment = Timestamp::from(exact);
        prop_assert_eq!(moment.unix_ms(), nanos.div_euclid(1_000_000));
        prop_assert!(OffsetDateTime::from(moment) <= exact);
    }

    #[test]
    fn an_id_is_read_in_the_spelling_it_is_given_out_in(number: u128) {
        let id = SessionId::new(uuid::Uuid::from_u128(number));
        prop_assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        let upper = id.to_string().to_uppercase();
        prop_assert_eq!(SessionId::parse(&upper).is_some(), upper == id.to_string());
    }
}

#[test]
fn any_other_spelling_is_the_id_of_nothing() {
    let id = "019c1234-5678-7abc-8def-0123456789ab";
    assert!(SessionId::parse(id).is_some() && MessageId::parse(id).is_some() && AttachmentId::parse(id).is_some());
    let others = [
        String::new(),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        format!("{id} "),
        format!("{id}0"),
        id[..35].to_owned(),
        "not-an-id".to_owned(),
        "💥".repeat(9),
    ];
    for other in others {
        assert_eq!(SessionId::parse(&other), None, "{other:?}");
        assert_eq!(MessageId::parse(&other), None, "{other:?}");
        assert_eq!(AttachmentId::parse(&other), None, "{other:?}");
    }
}

#[test]
fn moments_stay_inside_the_years_that_can_be_written() {
    assert_eq!(Timestamp::from_unix_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_unix_ms(-1).to_string(), "1969-12-31T23:59:59.999Z");
    let (first, last) = (Timestamp::from_unix_ms(i64::MIN), Timestamp::from_unix_ms(i64::MAX));
    assert_eq!(first.to_string(), "0000-01-01T00:00:00.000Z");
    assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
    assert_eq!((last.plus(Duration::MAX), first.minus(Duration::MAX)), (last, first));
    assert_eq!(first.since(last), Duration::ZERO, "a clock that went back gives no negative time");
    assert_eq!(Timestamp::from_unix_ms(2_500).since(Timestamp::from_unix_ms(1_000)), Duration::from_millis(1_500));
}

#[test]
fn a_page_has_1_to_100_items() {
    let granted = |requested| PageLimit::clamped(requested).map(PageLimit::get);
    assert_eq!(granted(0), None);
    assert_eq!([1, 100, 101, u64::MAX].map(granted), [Some(1), Some(100), Some(100), Some(100)]);
    assert_eq!((PageLimit::SESSIONS.get(), PageLimit::MESSAGES.get()), (20, 50));
}

#[test]
fn pages_count_from_1_and_their_offset_never_overflows() {
    assert_eq!(PageNumber::new(0), None);
    let offset = |number| PageNumber::new(number).unwrap().offset(PageLimit::SESSIONS);
    assert_eq!((offset(1), offset(2), offset(u64::MAX)), (0, 20, u64::MAX));
    let pages = |total| {
        let position = SessionPosition::Page(PageNumber::FIRST);
        SessionPage { sessions: Vec::new(), total, position, limit: PageLimit::SESSIONS, next: None }.total_pages()
    };
    assert_eq!([0, 1, 20, 21].map(pages), [0, 1, 1, 2]);
}

#[test]
fn names_of_roles_and_priorities_are_read_as_they_are_written() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.as_str()), Some(role));
    }
    assert_eq!((Role::parse("Admin"), Role::parse("")), (None, None));
    for priority in Priority::ALL {
        assert_eq!(Priority::parse(priority.as_str()).unwrap(), priority);
    }
    assert!(Priority::parse("HIGH").is_err());
    assert_eq!(Priority::default(), Priority::Medium);
}

#[test]
fn a_byte_range_has_at_least_one_byte() {
    assert!(ByteRange::new(1, 0).is_none());
    assert_eq!(ByteRange::new(5, 5).unwrap().length(), 1);
    assert_eq!(ByteRange::new(0, u64::MAX).unwrap().length(), u64::MAX);
}
