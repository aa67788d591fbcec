//! The enrolled machines, and what each last said of itself.

use super::{Store, StoreError};
use crate::clock::now_ms;
use contract::enrolment::Machine;
use contract::report::{Coverage, DeviceReport, Finding, PolicyRefused};

/// One enrolled machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    pub id: String,
    pub member: String,
    pub machine: Machine,
    pub enrolled_ms: i64,
    pub certificate_expires_ms: i64,
    /// Last heard of.
    pub contact_ms: i64,
    /// Found silent for too long, and not heard of since.
    pub dark: bool,
    pub revoked_ms: Option<i64>,
    pub unenrolled_ms: Option<i64>,
    /// In force on the device; 0 for none yet.
    pub policy_version: u64,
    pub policy_refused: Option<PolicyRefused>,
    pub spool_depth: u64,
    pub coverage: Coverage,
    pub findings: Vec<Finding>,
}

impl Device {
    /// Does the report say anything that is not written down yet?
    #[must_use]
    pub fn would_change_by(&self, report: &DeviceReport) -> bool {
        self.machine != report.machine
            || self.policy_version != report.policy_version
            || self.policy_refused != report.policy_refused
            || self.spool_depth != report.spool_depth
            || self.coverage != report.coverage
            || self.findings != report.findings
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    member: String,
    hostname: String,
    os: String,
    os_version: String,
    agent_version: String,
    enrolled_ms: i64,
    certificate_expires_ms: i64,
    contact_ms: i64,
    dark: bool,
    revoked_ms: Option<i64>,
    unenrolled_ms: Option<i64>,
    policy_version: i64,
    policy_refused: Option<String>,
    spool_depth: i64,
    coverage: String,
    findings: String,
}

impl Row {
    fn read(self) -> Result<Device, StoreError> {
        let unreadable = StoreError::unreadable("device report");
        Ok(Device {
            id: self.id,
            member: self.member,
            machine: Machine {
                hostname: self.hostname,
                os: self.os,
                os_version: self.os_version,
                agent_version: self.agent_version,
            },
            enrolled_ms: self.enrolled_ms,
            certificate_expires_ms: self.certificate_expires_ms,
            contact_ms: self.contact_ms,
            dark: self.dark,
            revoked_ms: self.revoked_ms,
            unenrolled_ms: self.unenrolled_ms,
            policy_version: self.policy_version.unsigned_abs(),
            policy_refused: self
                .policy_refused
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(&unreadable)?,
            spool_depth: self.spool_depth.unsigned_abs(),
            coverage: serde_json::from_str(&self.coverage).map_err(&unreadable)?,
            findings: serde_json::from_str(&self.findings).map_err(&unreadable)?,
        })
    }
}

const DEVICES: &str = "SELECT id, member, hostname, os, os_version, agent_version, enrolled_ms,
    certificate_expires_ms, contact_ms, dark, revoked_ms, unenrolled_ms, policy_version, policy_refused,
    spool_depth, coverage, findings FROM (SELECT * FROM devices WHERE removed_ms IS NULL) AS kept";

/// A machine about to be a device.
#[derive(Debug)]
pub struct NewDevice<'a> {
    pub id: &'a str,
    pub member: &'a str,
    pub machine: &'a Machine,
    pub certificate_expires_ms: i64,
}

impl Store {
    /// Counts one use of the token and adds the device, or neither. `false`: the token has no use left.
    pub async fn enrol(&self, token_hash: &[u8], device: &NewDevice<'_>) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut transaction = self.writer.begin().await?;
        let counted = sqlx::query(
            "UPDATE enrolment_tokens SET used = used + 1
             WHERE hash = $1 AND used < uses AND expires_ms >= $2 AND withdrawn_ms IS NULL",
        )
        .bind(token_hash)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if counted.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO members (address, created_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(device.member)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO devices (id, member, hostname, os, os_version, agent_version, enrolled_ms,
                 certificate_expires_ms, contact_ms, token)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7,
                 (SELECT id FROM enrolment_tokens WHERE hash = $9))",
        )
        .bind(device.id)
        .bind(device.member)
        .bind(&device.machine.hostname)
        .bind(&device.machine.os)
        .bind(&device.machine.os_version)
        .bind(&device.machine.agent_version)
        .bind(now)
        .bind(device.certificate_expires_ms)
        .bind(token_hash)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub async fn device(&self, id: &str) -> Result<Option<Device>, StoreError> {
        sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!("{DEVICES} WHERE id = $1")))
            .bind(id)
            .fetch_optional(&self.reader)
            .await?
            .map(Row::read)
            .transpose()
    }

    /// Was a machine of this name and member revoked before? One that was removed since counts, too.
    pub async fn was_revoked(&self, member: &str, hostname: &str) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM devices
             WHERE member = $1 AND LOWER(hostname) = LOWER($2) AND revoked_ms IS NOT NULL",
        )
        .bind(member)
        .bind(hostname)
        .fetch_one(&self.reader)
        .await?;
        Ok(found > 0)
    }

    /// Forgets a device; its records stay. `false`: there is no such device.
    pub async fn remove_device(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE devices SET removed_ms = $1 WHERE id = $2 AND removed_ms IS NULL")
            .bind(now_ms())
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Every device that enrolled and was not removed, by member and host name.
    pub async fn devices(&self) -> Result<Vec<Device>, StoreError> {
        sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!("{DEVICES} ORDER BY member, hostname, id")))
            .fetch_all(&self.reader)
            .await?
            .into_iter()
            .map(Row::read)
            .collect()
    }

    /// The member's machines that are neither revoked nor unenrolled.
    pub async fn devices_of(&self, member: &str) -> Result<Vec<Device>, StoreError> {
        let at_work = "WHERE member = $1 AND revoked_ms IS NULL AND unenrolled_ms IS NULL";
        sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!("{DEVICES} {at_work} ORDER BY enrolled_ms")))
            .bind(member)
            .fetch_all(&self.reader)
            .await?
            .into_iter()
            .map(Row::read)
            .collect()
    }

    /// Devices that should be heard of, were last heard of before `before_ms`, and are not dark yet.
    pub async fn fallen_silent(&self, before_ms: i64) -> Result<Vec<Device>, StoreError> {
        sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
            "{DEVICES} WHERE dark = 0 AND contact_ms < $1 AND revoked_ms IS NULL AND unenrolled_ms IS NULL"
        )))
        .bind(before_ms)
        .fetch_all(&self.reader)
        .await?
        .into_iter()
        .map(Row::read)
        .collect()
    }

    /// Writes down when devices were last heard of, in one transaction.
    pub async fn record_contacts(&self, contacts: &[(String, i64)]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        for (device, at_ms) in contacts {
            sqlx::query("UPDATE devices SET contact_ms = $1 WHERE id = $2 AND contact_ms < $1")
                .bind(at_ms)
                .bind(device)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// `false`: it was so already.
    pub async fn set_dark(&self, id: &str, dark: bool) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE devices SET dark = $1 WHERE id = $2 AND dark <> $1")
            .bind(dark)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn save_report(&self, id: &str, report: &DeviceReport) -> Result<(), StoreError> {
        let unreadable = StoreError::unreadable("device report");
        let refused =
            report.policy_refused.as_ref().map(serde_json::to_string).transpose().map_err(&unreadable)?;
        let governed = report.coverage.servers.iter().filter(|server| server.governed).count();
        sqlx::query(
            "UPDATE devices SET hostname = $1, os = $2, os_version = $3, agent_version = $4, contact_ms = $5,
                 policy_version = $6, policy_refused = $7, spool_depth = $8, servers = $9, governed = $10,
                 coverage = $11, findings = $12
             WHERE id = $13",
        )
        .bind(&report.machine.hostname)
        .bind(&report.machine.os)
        .bind(&report.machine.os_version)
        .bind(&report.machine.agent_version)
        .bind(now_ms())
        .bind(report.policy_version.cast_signed())
        .bind(refused)
        .bind(report.spool_depth.cast_signed())
        .bind(i64::try_from(report.coverage.servers.len()).unwrap_or(i64::MAX))
        .bind(i64::try_from(governed).unwrap_or(i64::MAX))
        .bind(serde_json::to_string(&report.coverage).map_err(&unreadable)?)
        .bind(serde_json::to_string(&report.findings).map_err(&unreadable)?)
        .bind(id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn set_certificate_expiry(&self, id: &str, expires_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET certificate_expires_ms = $1 WHERE id = $2")
            .bind(expires_ms)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// `false`: there is no such device, or it was revoked before.
    pub async fn set_revoked(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE devices SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL")
            .bind(now_ms())
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn set_unenrolled(&self, id: &str) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE devices SET unenrolled_ms = $1 WHERE id = $2 AND unenrolled_ms IS NULL")
                .bind(now_ms())
                .bind(id)
                .execute(&self.writer)
                .await?;
        Ok(done.rows_affected() == 1)
    }
}
